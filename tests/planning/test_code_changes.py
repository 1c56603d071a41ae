"""What has changed in a dataset's code is told statement by statement, from the repository that holds it."""

from __future__ import annotations

import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest

from common.contracts import datasets
from common.errors import UsageError
from common.lake.log.delta_log import Commit
from common.planning.code_changes import UNKNOWN, folder_at, why_changed
from common.runtime import code_version
from tests.support.datasets import datasets_in, spoil
from tests.support.visits import write_visits


def git(folder: Path, *words: str) -> str:
    identity = ["-c", "user.name=A Tester", "-c", "user.email=tester@example.org"]
    done = subprocess.run(["git", "-C", str(folder), *identity, *words], capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The dataset's folder, committed."""
    monkeypatch.setattr("sys.dont_write_bytecode", True)
    folder = write_visits(tmp_path)
    git(tmp_path, "init", "-q")
    commit(folder)
    return folder


def commit(folder: Path) -> None:
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "a change")


def made(folder: Path) -> Commit:
    """A commit to a table that the code as it is committed made."""
    with datasets_in(folder.parent):
        code = code_version.day_fingerprint(datasets.load("visits"))
    books = {"code": code, "revision": git(folder, "rev-parse", "HEAD")}
    return Commit(0, books, datetime.now(UTC))


def why(folder: Path, commit: Commit) -> str:
    with datasets_in(folder.parent):
        return why_changed(datasets.load("visits"), commit)


@pytest.mark.parametrize(
    ("file", "old", "new", "words"),
    [
        ("contract.py", "minimum=0", "minimum=1", "columns.minutes.minimum was 0, is 1"),
        ("contract.py", "refused_share=0.5", "refused_share=0.4", "refused_share was 0.5, is 0.4"),
        ("contract.py", "    refused_share=0.5,\n", "", "refused_share was removed"),
        ("contract.py", "Count(3)", "Count(60)", "features.columns.visits_3d was Count(3), is Count(60)"),
        (
            "contract.py",
            "columns=(Feature",
            'columns=(Feature("all", Count(9)), Feature',
            "features.columns.all is new",
        ),
        (
            "contract.py",
            '        Column(name="visitor"',
            '        Column(name="door", type="string", description="Which"),\n        Column(name="visitor"',
            "columns.door is new",
        ),
        ("contract.py", "CONTRACT =", "LIMIT = 5\nCONTRACT =", "LIMIT of contract.py is new"),
        ("transforms.py", "/ 60", "/ 61", "derive of transforms.py has changed"),
    ],
    ids=lambda value: value if isinstance(value, str) and len(value) > 12 and "\n" not in value else "",
)
def test_each_change_is_named(folder: Path, file: str, old: str, new: str, words: str) -> None:
    before = made(folder)
    spoil(folder / file, old, new)
    assert why(folder, before) == words
    commit(folder)
    assert why(folder, before) == words


def test_a_raised_engine_version_is_told_apart(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before, version = made(folder), code_version.ENGINE_VERSION
    monkeypatch.setattr(code_version, "ENGINE_VERSION", version + 1)
    assert why(folder, before) == f"the engine's version was {version}, is {version + 1}"


def test_code_that_was_never_committed_is_not_guessed(folder: Path) -> None:
    spoil(folder / "contract.py", "minimum=0", "minimum=1")
    uncommitted = made(folder)
    spoil(folder / "contract.py", "minimum=1", "minimum=2")
    assert why(folder, uncommitted) == UNKNOWN
    assert why(folder, Commit(0, {"code": "of 0.1"}, datetime.now(UTC))) == UNKNOWN


@pytest.mark.parametrize("revision", ["", "--output=x", "no_such_branch"])
def test_a_revision_that_is_none_is_refused(folder: Path, revision: str) -> None:
    with pytest.raises(UsageError, match="expected"), folder_at(revision, folder):
        pass
