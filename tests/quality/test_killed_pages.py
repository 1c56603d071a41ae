"""A validation that is killed while Great Expectations writes its files: the next one stores its results as usual."""

from __future__ import annotations

import logging
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from common.contracts import datasets, suite
from common.contracts.expectations import Rule
from common.quality.gx_check import run_rules
from common.reports import gx_docs

pytestmark = pytest.mark.slow

WRITING = os.O_WRONLY | os.O_RDWR
ANEW = "making them anew from the contracts"
_watching: list[Callable[[Path], None]] = []


def _audit(event: str, arguments: tuple[Any, ...]) -> None:
    """Python tells of every file before it is opened, and cannot be told to stop telling."""
    if event == "open" and _watching and isinstance(arguments[0], str) and (arguments[2] or 0) & WRITING:
        watching = _watching.pop()
        watching(Path(arguments[0]))
        _watching.append(watching)


def states_left_by_a_kill(lake: Path, folder: Path, work: Callable[[], object]) -> list[tuple[str, Path]]:
    """The lake before each file of Great Expectations was written, and with that file cut off."""
    found: list[tuple[str, Path]] = []

    def keep(file: Path) -> None:
        if not file.is_relative_to(lake / "gx"):
            return
        name, number = str(file.relative_to(lake)), len(found)
        for what in ("before", "within"):
            state = folder / f"{number} {what}"
            shutil.copytree(lake, state)
            if what == "within":
                (state / name).write_text("")
            found.append((f"{what} {name}", state))

    sys.addaudithook(_audit)
    _watching.append(keep)
    try:
        work()
    finally:
        _watching.clear()
    return found


def test_a_validation_killed_within_its_pages_runs_again(
    spark: SparkSession, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    contract = datasets.load("churn").contract
    rules, lake = suite.rules_of(contract, "raw"), tmp_path / "lake"
    names = [column.name for column in contract.columns]
    rows = spark.createDataFrame([(f"{number}",) * len(names) for number in range(3)], names)
    lake.mkdir()

    def validate(place: Path, chosen: list[Rule] = rules) -> list[Any]:
        return run_rules(rows, chosen, "churn.raw", str(place))

    def first_and_changed() -> None:
        validate(lake, rules[:-1])
        validate(lake)

    states = states_left_by_a_kill(lake, tmp_path, first_and_changed)
    wanted, wrong = validate(lake), []
    for what, state in states:
        caplog.clear()
        with caplog.at_level(logging.WARNING, "pipeline"):
            try:
                assert validate(state) == wanted
                gx_docs.build_docs(state)
            except Exception as error:
                wrong.append(f"{what}: {error!r}")
        said = [record.getMessage() for record in caplog.records if record.name == "pipeline"]
        wrong += [f"{what}: {message}" for message in said if ANEW not in message]
        shutil.rmtree(state)
    assert len(states) > 20
    assert wrong == [], "\n".join(wrong)
