"""`features plan --since-revision`: what a pull request would make stale, by the repository alone."""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from common.reader.cli import main
from tests.planning.test_code_changes import commit, git
from tests.support.datasets import datasets_in, spoil
from tests.support.visits import write_visits

BEFORE = "HEAD"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setattr("sys.dont_write_bytecode", True)
    folder = write_visits(tmp_path)
    git(tmp_path, "init", "-q")
    commit(folder)
    with datasets_in(tmp_path):
        yield folder


def since(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str]:
    code = main(["plan", "--dataset", "visits", "--since-revision", *(words or (BEFORE,)), "--lake", "no/lake"])
    printed = capsys.readouterr()
    return code, printed.out + printed.err


def as_json(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    _, text = since(capsys, BEFORE, "--json")
    schema = json.loads((files("common.planning") / "since_revision.schema.json").read_text())
    jsonschema.validate(json.loads(text), schema, cls=jsonschema.Draft202012Validator)
    changed: list[dict[str, Any]] = json.loads(text)["datasets"]
    return changed


def test_a_comment_makes_nothing_stale(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "contract.py").write_text("# Why.\n" + (folder / "contract.py").read_text())
    code, text = since(capsys)
    assert (code, text.strip()) == (
        0,
        "No day becomes stale: nothing that decides rows has changed since HEAD.",
    )
    assert as_json(capsys) == []


def test_a_changed_rule_is_not_breaking(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spoil(folder / "contract.py", "minimum=0", "minimum=1")
    code, text = since(capsys)
    assert code == 0
    assert "**visits**: not breaking, the features of v1 are defined as before; every day runs ingest to" in text
    assert "- columns.minutes.minimum was 0, is 1" in text
    (change,) = as_json(capsys)
    assert (change["breaking"], change["steps"][-1]) == (False, "validate-features")


def test_a_changed_definition_of_one_version_is_breaking(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spoil(folder / "contract.py", "Count(3)", "Count(60)")
    code, text = since(capsys)
    assert code == 2
    assert "**breaking**, and a backfill refuses it: visits_3d was" in text
    assert "Declare version=2" in text


def test_a_new_version_is_not_refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spoil(folder / "contract.py", "Count(3)", "Count(60)")
    spoil(folder / "contract.py", "version=1", "version=2")
    code, text = since(capsys)
    assert code == 0
    assert "features v2 is new, and v1 stays readable" in text
    (change,) = as_json(capsys)
    assert (change["feature_versions"], change["steps"][-1]) == ([1, 2], "publish")


def test_a_new_column_runs_the_features_alone(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spoil(folder / "contract.py", "columns=(Feature", 'columns=(Feature("visits_2d", Count(2)), Feature')
    spoil(folder / "contract.py", "version=1", "version=2")
    (change,) = as_json(capsys)
    assert change["steps"] == ["features", "validate-features", "publish"]
    assert "every day runs features to publish again" in since(capsys)[1]


def test_a_dataset_that_the_revision_lacks_is_new(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    git(folder.parent, "rm", "-rq", "--cached", "visits")
    git(folder.parent, "commit", "-qm", "without visits")
    assert "**visits**: new; its days run for the first time" in since(capsys)[1]


def test_what_reads_a_lake_is_refused_beside_it(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert since(capsys, BEFORE, "--ds", "2026-01-05")[0] == 2
    code, text = since(capsys, "no_such_branch")
    assert (code, "expected a revision of this repository" in text) == (2, True)
