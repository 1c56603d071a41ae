"""When a job tells what it did: a training set at its end, and nothing at all if it was asked wrongly."""

from __future__ import annotations

import argparse
from typing import Any

import pytest

from common.errors import ContractViolationError, UsageError
from common.orchestration.cli import parser, run_whole
from common.runtime.run import Run
from tests.support.told import Told

DAYS = "2026-01-05..2026-01-06"


def whole(work: Any, told: Told, monkeypatch: pytest.MonkeyPatch, arguments: argparse.ArgumentParser) -> Any:
    places = ["--lake", str(told.root / "lake"), "--landing", str(told.root / "landing")]
    monkeypatch.setattr("sys.argv", ["jobs/training_set.py", "--dataset", told.dataset, "--ds", DAYS, *places])
    with pytest.raises(SystemExit) as left:
        run_whole("training_set", arguments, work)
    return left.value.code


def test_a_training_set_names_the_tables_it_learned_from(told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    line = {"job": "training_set", "outcome": "done", "counts": {"examples": 9}, "read": {"transactions@v1": 3}}
    assert (
        whole(lambda days: {**line, "written": {"training_sets/a": 2}}, told, monkeypatch, parser("training_set")) == 0
    )
    start, end = told.events("training_set", "2026-01-06")
    assert (start["eventType"], end["eventType"]) == ("START", "COMPLETE")
    assert start["eventTime"] <= end["eventTime"]
    assert [each["name"] for each in end["inputs"]] == [f"{told.root}/lake/published/transactions/v1"]
    assert [each["name"] for each in end["outputs"]] == [f"{told.root}/lake/training_sets/a"]
    assert told.value("pipeline_rows", "training_set", kind="out") == 9


@pytest.mark.parametrize(("error", "code", "touched"), [(UsageError, 2, False), (ContractViolationError, 3, True)])
def test_wrong_arguments_leave_the_lake_untouched(
    told: Told, monkeypatch: pytest.MonkeyPatch, error: type[Exception], code: int, touched: bool
) -> None:
    def refuse(days: list[Run]) -> Any:
        raise error("no such training set")

    assert whole(refuse, told, monkeypatch, parser("training_set")) == code
    assert (told.root / "lake").exists() == touched
