"""What has changed in a dataset's code since some revision of the repository, statement by statement."""

from __future__ import annotations

import ast
import io
import re
import subprocess
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from common.contracts.checking.source_code import DECLARED, SourceCode, source_code
from common.contracts.contract import Contract
from common.contracts.datasets import Dataset
from common.errors import UsageError
from common.lake.log.delta_log import Commit
from common.runtime import code_version

UNKNOWN = "the contract or the code of the dataset has changed"


@dataclass(frozen=True)
class DatasetCode:
    contract: SourceCode
    transforms: SourceCode

    @classmethod
    def of(cls, contract_file: Path, transforms_file: Path) -> DatasetCode:
        return cls(source_code(contract_file), source_code(transforms_file))

    def fingerprint(self, engine_version: int) -> str:
        return code_version.code_fingerprint(self.contract, self.transforms, engine_version)

    def before_features(self, contract: Contract, engine_version: int) -> str:
        """The fingerprint of what decides the rows of the steps before the features."""
        days_back = contract.features.days_back
        return code_version.fingerprint_before_features(self.contract, self.transforms, days_back, engine_version)


def why_changed(dataset: Dataset, commit: Commit) -> str:
    """What differs between the code that made the commit and the code as it is, as far as it can be known."""
    now, stored = DatasetCode.of(dataset.contract_file, dataset.transforms_file), str(commit.books.get("code", ""))
    for engine in range(1, code_version.ENGINE_VERSION):
        if now.fingerprint(engine) == stored:
            return f"the engine's version was {engine}, is {code_version.ENGINE_VERSION}"
    try:
        with folder_at(str(commit.books.get("revision", "")), dataset.contract_file.parent) as folder:
            before = DatasetCode.of(folder / "contract.py", folder / "transforms.py")
    except UsageError:
        return UNKNOWN
    engines = range(1, code_version.ENGINE_VERSION + 1)
    # Made by a working tree with uncommitted changes, which the revision does not show.
    made_by_it = any(before.fingerprint(engine) == stored for engine in engines)
    return "; ".join(differences(before, now)) if made_by_it else UNKNOWN


@contextmanager
def folder_at(revision: str, folder: Path) -> Iterator[Path]:
    """A copy of the folder as it was at a revision of the repository that holds it."""
    if not revision or revision.startswith("-"):
        raise UsageError(f"revision {revision!r} does not exist; expected a commit, a branch or a tag")
    with TemporaryDirectory() as place:
        copy = Path(place) / folder.name
        content = io.BytesIO(git(folder, "archive", "--format=tar", "--end-of-options", revision, "."))
        with tarfile.open(fileobj=content) as archive:
            archive.extractall(copy, filter="data")
        yield copy


def holds(revision: str, folder: Path) -> bool:
    """Whether the folder was there at the revision."""
    return bool(git(folder, "ls-tree", "--end-of-options", revision, "."))


def git(folder: Path, *words: str) -> bytes:
    command = ["git", "-C", str(folder), *words]
    try:
        done = subprocess.run(command, capture_output=True, check=False, timeout=30)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise UsageError(f"git can't be run in {folder} ({error}); expected a clone of the repository") from None
    if done.returncode:
        message = done.stderr.decode(errors="replace").strip()
        raise UsageError(f"git cannot show {folder} as it was ({message}); expected a revision of this repository")
    return done.stdout


def engine_version_at(revision: str) -> int:
    """The engine's version at a revision; today's if the repository holds only datasets."""
    file = Path(str(code_version.__file__))
    try:
        text = git(file.parent, "show", "--end-of-options", f"{revision}:./{file.name}").decode()
    except UsageError:
        return code_version.ENGINE_VERSION
    found = re.search(r"^ENGINE_VERSION = (\d+)$", text, re.MULTILINE)
    return int(found[1]) if found else 0


def differences(before: DatasetCode, now: DatasetCode) -> list[str]:
    """The differences in words, the contract's first."""
    found = _named(before.contract.statements, now.contract.statements, "contract.py")
    # What the transforms import from the contract is listed already.
    old, new = (
        {name: text for name, text in code.transforms.statements.items() if not name.startswith("contract.")}
        for code in (before, now)
    )
    return found + _named(old, new, "transforms.py")


def _named(old: Mapping[str, str], new: Mapping[str, str], file: str) -> list[str]:
    found = []
    for name in sorted({*old, *new}):
        if old.get(name) == new.get(name):
            continue
        if name == DECLARED and name in old and name in new:
            found += _of_contract(old[name], new[name])
        else:
            found.append(f"{name} of {file} {_change(name in old, name in new)}")
    return found


def _change(before: bool, now: bool) -> str:
    return "has changed" if before and now else "is new" if now else "was removed"


def _of_contract(old: str, new: str) -> list[str]:
    """Each declaration of the contract that differs, such as `columns.age.maximum was 120, is 100`."""
    before, now = _declared(old), _declared(new)
    found = []
    for path in sorted({*before, *now}):
        parent = path.rpartition(".")[0]
        if before.get(path) == now.get(path) or (parent and (parent in before) != (parent in now)):
            continue
        if path in before and path in now:
            found.append(f"{path} was {before[path]}, is {now[path]}")
        else:
            found.append(f"{path} {_change(path in before, path in now)}")
    return found


def _declared(text: str) -> dict[str, str]:
    statement = ast.parse(text).body[0]
    assert isinstance(statement, ast.Assign | ast.AnnAssign)
    assert statement.value is not None
    return dict(_leaves(statement.value, ""))


def _leaves(node: ast.expr, path: str) -> Iterator[tuple[str, str]]:
    """The arguments of nested calls by their path: an element of a tuple is found by its name, if it has one."""
    if isinstance(node, ast.Call) and node.keywords:
        if path:
            yield path, ""
        for keyword in node.keywords:
            yield from _leaves(keyword.value, f"{path}.{keyword.arg}" if path else str(keyword.arg))
        for place, argument in enumerate(node.args):
            yield from _leaves(argument, f"{path}.{place}")
    elif isinstance(node, ast.Tuple | ast.List) and any(isinstance(each, ast.Call) for each in node.elts):
        for place, each in enumerate(node.elts):
            yield from _element(each, f"{path}.{_label(each) or place}")
    else:
        yield path, ast.unparse(node)


def _element(node: ast.expr, path: str) -> Iterator[tuple[str, str]]:
    named = isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant)
    if named and isinstance(node, ast.Call) and not node.keywords:
        yield path, ", ".join(map(ast.unparse, node.args[1:]))
    else:
        yield from _leaves(node, path)


def _label(node: ast.expr) -> str:
    if not isinstance(node, ast.Call):
        return ""
    names = [keyword.value for keyword in node.keywords if keyword.arg == "name"]
    first = next((name for name in [*names, *node.args[:1]] if isinstance(name, ast.Constant)), None)
    return str(first.value) if first else ""
