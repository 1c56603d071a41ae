"""Say everything that is wrong with a dataset at once, without Spark: `python -m common.reports.check_dataset DATASET`."""

from __future__ import annotations

import ast
import importlib
import re
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import MISSING, fields, is_dataclass
from pathlib import Path
from traceback import walk_stack, walk_tb
from types import ModuleType
from typing import Any

from common.contracts import datasets
from common.contracts.checking import faults, source_code
from common.contracts.contract import Contract
from common.days import current, day_range
from common.errors import ContractDeclarationError, UsageError, collecting, exit_on_error
from common.names import did_you_mean
from common.printable import printable
from common.runtime.command_line import CommandLine

# A calendar may fail in one month only.
DAYS_TRIED = 366
_PLACE = re.compile(r"(.+?):(\d+): ")


def faults_of(name: str) -> list[str]:
    """What is wrong with the code of a dataset, in the order of its files and lines."""
    if name not in datasets.names():
        raise UsageError(f"dataset {name!r} is unknown{did_you_mean(name, datasets.names())}; see jobs/datasets")
    datasets.require_folder_name(name)
    found: list[str] = []

    def note(message: str) -> None:
        if message not in found:
            found.append(message)

    def attempt(part: Callable[[], Any]) -> None:
        try:
            part()
        except BaseException as error:
            faults.require_mistake(error)
            where, words = faults.place(error), faults.in_words(error)
            if not _follows_from(found, error, where):
                note(f"{where}: {words}" if where else words)

    def collect(message: str) -> None:
        where = faults.innermost(reversed([*walk_stack(None)]))
        note(f"{where}: {message}" if where else message)

    with collecting(collect):
        attempt(lambda: _check_contract(name, collect))
        if not found:
            attempt(lambda: _check_training(name))
        for file in sorted(faults.file_of(f"{faults.PACKAGE}.{name}.contract").parent.glob("*.py")):
            attempt(lambda file=file: source_code.parsed(file))  # type: ignore[misc]
        transforms = faults.file_of(f"{faults.PACKAGE}.{name}.transforms")
        attempt(lambda: source_code.require_names(transforms, datasets.TRANSFORMS))
    return sorted(found, key=_file_and_line)


def _follows_from(found: list[str], error: BaseException, where: str) -> bool:
    """Whether a fault only follows from an earlier one in the same declaration."""
    cause = error.__cause__ if isinstance(error, ContractDeclarationError) else error
    if cause is None or isinstance(cause, ContractDeclarationError | SyntaxError):
        return False
    *_, (frame, _) = walk_tb(cause.__traceback__)
    own_code = faults.is_own(frame.f_code.co_filename)
    return (bool(found) and not own_code) or any(fault.startswith(f"{where}: ") for fault in found)


def _file_and_line(fault: str) -> tuple[str, int]:
    match = _PLACE.match(fault)
    return (match[1], int(match[2])) if match else (fault.partition(": ")[0], 0)


def _check_contract(name: str, collect: Callable[[str], None]) -> None:
    """Run the contract's module with arguments that do not exist taken out, so that what follows them is checked too."""
    faults.imported(f"{faults.PACKAGE}.{name}")
    file = faults.file_of(f"{faults.PACKAGE}.{name}.contract")
    parsed = source_code.parsed(file)
    tree = _Arguments(file, _declarations(parsed), collect).visit(parsed)
    module = ModuleType(f"{faults.PACKAGE}.{name}.contract")
    module.__file__, module.__package__ = str(file), f"{faults.PACKAGE}.{name}"
    with faults.prints_to_stderr():
        exec(compile(tree, str(file), "exec"), module.__dict__)  # noqa: S102
    declared = faults.attribute(module, "CONTRACT")
    for path in source_code.modules_of(file):
        for line in source_code.imports_of_spark(path)[:1]:
            collect(
                f"{faults.shown(path)}:{line}: a contract is read where there is no Spark; import pyspark in transforms.py"
            )
    if not isinstance(declared, Contract):
        collect(f"{faults.shown(file)}: CONTRACT is a {type(declared).__name__}; expected a Contract")
        return
    for fault in datasets.disagreements(name, declared):
        collect(f"{faults.shown(file)}: {fault}")
    for day in day_range(current(declared.every), 0, DAYS_TRIED):
        declared.is_closed(day)


def _check_training(name: str) -> None:
    if faults.file_of(f"{faults.PACKAGE}.{name}.training").exists():
        from common.training.training_set import training_sets  # NumPy and Arrow, which others do not need

        training_sets(f"{faults.PACKAGE}.{name}")


def _declarations(tree: ast.Module) -> dict[str, Any]:
    """The dataclasses that a module imports, by the names it gives them."""
    found: dict[str, Any] = {}
    for node in (node for node in tree.body if isinstance(node, ast.ImportFrom) and node.module and not node.level):
        with suppress(ImportError):  # running the module reports it
            names = vars(importlib.import_module(str(node.module)))
            found |= {alias.asname or alias.name: names.get(alias.name) for alias in node.names}
    return {name: one for name, one in found.items() if isinstance(one, type) and is_dataclass(one)}


class _Arguments(ast.NodeTransformer):
    """Reports unknown and missing arguments of declarations; takes the unknown ones out, fills in the missing ones."""

    def __init__(self, file: Path, declarations: dict[str, Any], collect: Callable[[str], None]) -> None:
        self.file, self.declarations, self.collect = file, declarations, collect

    def visit_Call(self, node: ast.Call) -> ast.Call:
        self.generic_visit(node)
        declared = self.declarations.get(node.func.id) if isinstance(node.func, ast.Name) else None
        if declared is None or any(keyword.arg is None for keyword in node.keywords):
            return node
        known = {field.name: field for field in fields(declared)}
        for keyword in [keyword for keyword in node.keywords if keyword.arg not in known]:
            hint = did_you_mean(str(keyword.arg), known)
            self._report(
                keyword, f"{declared.__name__} has no argument {keyword.arg!r}{hint}; it has {', '.join(known)}"
            )
            node.keywords.remove(keyword)
        by_place = [name for name, field in known.items() if not field.kw_only]
        there = {*by_place[: len(node.args)], *(keyword.arg for keyword in node.keywords)}
        for name, field in known.items():
            if field.default is MISSING and field.default_factory is MISSING and name not in there:
                self._report(node, f"{declared.__name__} needs {name!r}; add it")
            if name == "description" and name not in there:
                node.keywords.append(ast.keyword(name, ast.Constant("")))
        return ast.fix_missing_locations(node)

    def _report(self, node: Any, fault: str) -> None:
        self.collect(f"{faults.shown(self.file)}:{node.lineno}: {fault}")


@exit_on_error()
def main() -> None:
    parser = CommandLine(prog="python -m common.reports.check_dataset", description=__doc__)
    parser.with_help("make check", "make check DATASET=NAME")
    parser.add_argument("datasets", nargs="*", metavar="DATASET", help="folders in jobs/datasets (default: all)")
    found = {name: faults_of(name) for name in parser.parse_args().datasets or datasets.names()}
    for name, wrong in found.items():
        print(
            "\n".join(map(printable, wrong)) if wrong else f"{name}: nothing wrong",
            file=sys.stderr if wrong else sys.stdout,
        )
    sys.exit(UsageError.exit_code if any(found.values()) else 0)


if __name__ == "__main__":
    main()
