"""What a chain says of its days: which the source had nothing for, and which rules warned. Without Spark."""

import json
from pathlib import Path
from typing import Any

import pytest

from common.cli import run_chain_job, run_job
from common.errors import ContractBroken, NothingThere
from common.job import Job, Step
from common.run import Outcome, Run

DRIFT = {"expectation": "drift", "column": "age", "severity": "warn"}


def ingest(*absent: str) -> Job:
    def main(run: Run) -> Outcome:
        if str(run.ds) in absent:
            raise NothingThere(f"nothing in landing for {run.ds}")
        return Outcome("done", {"landed": 3})

    return Job("ingest", main, lambda run: [])


VALIDATE = Job("validate", lambda run: Outcome("done", {"rules": 1}, facts={"warnings": [DRIFT]}), lambda run: [])


@pytest.fixture
def said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Any:
    """The exit code and the JSON line of a chain, or of a job, over days."""

    def run(work: list[Step] | Job, ds: str, *datasets: str) -> tuple[Any, dict[str, Any]]:
        places = ["--lake", str(tmp_path / "lake"), "--landing", str(tmp_path / "landing")]
        argv = ["--dataset", *(datasets or ("churn",)), "--ds", ds, *places]
        with pytest.raises(SystemExit) as left:
            run_job(work, argv=argv) if isinstance(work, Job) else run_chain_job(work, argv)
        return left.value.code, json.loads(capsys.readouterr().out)

    return run


def test_a_single_day_that_the_source_has_nothing_for_is_exit_4(said: Any) -> None:
    code, line = said([Step(ingest("2026-01-05"))], "2026-01-05")
    assert (code, line["outcome"], line["missing"]) == (4, "missing", ["2026-01-05"])
    assert line["message"] == "nothing in landing for 2026-01-05"


@pytest.mark.parametrize("chained", [True, False])
def test_a_range_names_the_days_that_are_missing_and_runs_the_others(said: Any, chained: bool) -> None:
    job = ingest("2026-01-05", "2026-01-06")
    code, line = said([Step(job)] if chained else job, "2026-01-04..2026-01-07")
    assert (code, line["outcome"]) == (4, "done")
    assert line["missing"] == ["2026-01-05", "2026-01-06"]
    assert line["days"]["2026-01-07"] == "done"
    assert line["message"] == (
        "2 of 4 days are missing: 2026-01-05, 2026-01-06; the others have run. First: nothing in landing for 2026-01-05"
    )


def test_of_several_datasets_each_says_what_it_misses(said: Any) -> None:
    code, line = said([Step(ingest("2026-01-05"))], "2026-01-05", "churn", "transactions")
    assert (code, line["missing"]) == (4, ["2026-01-05"])
    assert line["message"] == (
        "churn: nothing in landing for 2026-01-05; transactions: nothing in landing for 2026-01-05"
    )


def test_a_range_that_fails_says_on_which_day_and_in_which_job(said: Any) -> None:
    def main(run: Run) -> Outcome:
        if str(run.ds) == "2026-01-06":
            raise ContractBroken("two files are refused")
        return Outcome("done", {})

    job = Job("ingest", main, lambda run: [])
    for work in (job, [Step(job)]):
        code, line = said(work, "2026-01-05..2026-01-07")
        assert code == 3
        assert line["message"] == "two files are refused (ingest of churn 2026-01-06)"


def test_help_is_help_and_no_failure(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        run_job(ingest(), argv=["--help"])
    shown = capsys.readouterr().out
    assert (left.value.code, "--full-refresh" in shown, "outcome" in shown) == (0, True, False)


def test_what_warned_on_the_way_is_said_with_its_day_and_once(said: Any) -> None:
    steps = [Step(ingest()), Step(VALIDATE, {"table": "raw"}), Step(VALIDATE, {"table": "features"})]
    _, line = said(steps, "2026-01-05")
    assert line["warnings"] == [DRIFT] * 2
    _, line = said(steps, "2026-01-05..2026-01-06")
    assert line["warnings"] == [{**DRIFT, "ds": "2026-01-06"}] * 2, "the day before has nothing new to say"
    _, line = said(steps, "2026-01-05..2026-01-06")
    assert (line["outcome"], "warnings" in line) == ("nothing", False)
