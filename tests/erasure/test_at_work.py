"""An erasure and a run of the same dataset meet: one waits for the other, or is refused, and nobody comes back."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest

from common.training.build import build_training_set
from common.training.training_set import declared_training_set
from tests.conftest import ROOT
from tests.support.boundaries import boundaries, only
from tests.support.erasing import CUSTOMER, SECOND, USER, run_erase, traces
from tests.support.job_line import line_of
from tests.support.play_lake import PlayLake
from tests.support.typed_here import typed

THIRD = "2026-01-07"
COMES_AGAIN = f"transaction_id | user_id | timestamp\nt9 | {USER} | {THIRD}T10:00:00Z"
Ended = tuple[int, dict[str, Any]]
Typed = Callable[..., Ended]


@pytest.fixture(scope="module")
def another_process() -> Iterator[ProcessPoolExecutor]:
    """One for all jobs that are refused: it is its start that takes long."""
    with ProcessPoolExecutor(1, get_context("spawn")) as process:
        yield process


@pytest.fixture
def elsewhere(another_process: ProcessPoolExecutor) -> Typed:
    """Types a job into the other process, and waits for no lock."""

    def type_there(lake: PlayLake, job: str, *words: str) -> Ended:
        command = shlex.join(["python", *command_of(lake, job, *words)])
        code, printed, _ = another_process.submit(typed, command, LOCK_WAIT_SECONDS="0").result(timeout=240)
        return code, line_of(printed)

    return type_there


def command_of(lake: PlayLake, job: str, *words: str) -> list[str]:
    places = ["--lake", str(lake.lake_folder), "--landing", str(lake.landing)]
    return [f"jobs/{job}.py", "--dataset", lake.dataset, *places, *words]


def erasure_of(entity: str) -> tuple[str, ...]:
    return ("erase", "--entity", entity, "--apply", "--yes")


def require_refused(refusals: list[Ended], holder: str) -> None:
    for code, line in refusals:
        assert (code, line["outcome"]) == (5, "failed")
        assert f"{holder} is held by process {os.getpid()}" in line["message"]


def test_an_erasure_is_refused_while_a_run_is_at_work(root: Path, elsewhere: Typed) -> None:
    """The run has read its sources before, and commits after it."""
    lake = PlayLake(root)
    lake.land(THIRD, COMES_AGAIN)
    for job in (lake.ingest, lake.clean, lake.features):
        refusals: list[Ended] = []
        with boundaries(only(1, lambda into=refusals: into.append(elsewhere(lake, *erasure_of(USER))))):  # type: ignore[misc]
            line = job(THIRD)
        assert (line["outcome"], len(refusals)) == ("done", 1)
        require_refused(refusals, f"transactions.{line['job']}.{THIRD}")
    assert f"lake/features/{lake.dataset}/v1" in {path.partition("/ds=")[0] for path in traces(root, USER)}
    run_erase(lake, USER)
    assert traces(root, USER) == []


def test_an_erasure_is_refused_while_a_training_set_is_built(root: Path, elsewhere: Typed) -> None:
    lake, refusals = PlayLake(root, "churn"), list[Ended]()
    days = [lake.plan("training_set", SECOND)]
    with boundaries(only(1, lambda: refusals.append(elsewhere(lake, *erasure_of(CUSTOMER))))):
        build_training_set(days, declared_training_set(days[0].dataset, "churn_baseline"), None)
    require_refused(refusals, "churn.training_sets.churn_baseline")
    run_erase(lake, CUSTOMER)
    assert traces(root, CUSTOMER) == []


def test_a_run_is_refused_while_an_erasure_is_at_work(root: Path, elsewhere: Typed) -> None:
    lake, refusals = PlayLake(root), list[Ended]()

    def meanwhile(number: int, what: str) -> None:
        if number in (2, 20):
            refusals.append(elsewhere(lake, "clean", "--ds", SECOND, "--full-refresh"))

    with boundaries(meanwhile):
        run_erase(lake, USER)
    assert len(refusals) == 2
    require_refused(refusals, "transactions.erase")
    assert traces(root, USER) == []


@pytest.mark.slow
def test_a_run_that_waits_for_an_erasure_brings_nobody_back(root: Path) -> None:
    lake, waiting = PlayLake(root), list[subprocess.Popen[str]]()
    lock = lake.lake_folder / f"locks/transactions.clean.{SECOND}.lock"

    def begin() -> None:
        command = [sys.executable, *command_of(lake, "clean", "--ds", SECOND, "--full-refresh")]
        environment = {**os.environ, "LOCK_WAIT_SECONDS": "200"}
        begun = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        waiting.append(begun)
        deadline = time.monotonic() + 60
        while not (lock.exists() and lock.read_text() == f"process {waiting[0].pid}"):
            assert time.monotonic() < deadline
            time.sleep(0.05)

    with boundaries(only(2, begin)):
        run_erase(lake, USER)
    printed, _ = waiting[0].communicate(timeout=240)
    line = line_of(printed)
    assert (waiting[0].returncode, line["outcome"]) == (0, "done"), line
    assert traces(root, USER) == []
