"""How a chain reports missing days, failures and warnings; stub jobs, without Spark."""

import json
from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from datetime import date
from pathlib import Path
from threading import Event
from types import SimpleNamespace
from typing import Any

import pytest

from common.contracts import datasets
from common.errors import EXIT_CODES, ContractViolationError, SourceMissingError, UsageError
from common.orchestration.chain import run_chain
from common.orchestration.cli import run_chain_job, run_job
from common.orchestration.job import ChainStep, Job
from common.runtime.run import Outcome, Run
from common.runtime.settings import load_settings
from tests.support.job_line import line_of

DRIFT = {"expectation": "drift", "column": "age", "severity": "warn"}


def ingest(*absent: str) -> Job:
    def main(run: Run) -> Outcome:
        if str(run.ds) in absent:
            raise SourceMissingError(f"nothing in landing for {run.ds}")
        return Outcome("done", {"landed": 3})

    return Job("ingest", main)


def validate() -> Job:
    """Warns about a day once for each table."""
    seen: set[tuple[date, str]] = set()

    def main(run: Run) -> Outcome:
        key = (run.ds, run.options["table"])
        if key in seen:
            return Outcome("nothing")
        seen.add(key)
        return Outcome("done", {"rules": 1}, facts={"warnings": [DRIFT]})

    return Job("validate", main)


@pytest.fixture
def said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Any:
    """Runs a chain or job over days; returns the exit code and the JSON line."""

    def run(work: list[ChainStep] | Job, ds: str, *datasets: str) -> tuple[Any, dict[str, Any]]:
        places = ["--lake", str(tmp_path / "lake"), "--landing", str(tmp_path / "landing")]
        argv = ["--dataset", *(datasets or ("churn",)), "--ds", ds, *places]
        with pytest.raises(SystemExit) as left:
            run_job(work, argv=argv) if isinstance(work, Job) else run_chain_job(work, argv)
        return left.value.code, line_of(capsys.readouterr().out)

    return run


def test_a_single_missing_day_exits_with_4(said: Any) -> None:
    code, line = said([ChainStep(ingest("2026-01-05"))], "2026-01-05")
    assert (code, line["outcome"], line["missing"]) == (4, "missing", ["2026-01-05"])
    assert line["message"] == "nothing in landing for 2026-01-05"


@pytest.mark.parametrize("chained", [True, False])
def test_a_range_names_missing_days_and_runs_the_others(said: Any, chained: bool) -> None:
    job = ingest("2026-01-05", "2026-01-06")
    code, line = said([ChainStep(job)] if chained else job, "2026-01-04..2026-01-07")
    assert (code, line["outcome"]) == (4, "incomplete")
    assert line["missing"] == ["2026-01-05", "2026-01-06"]
    assert line["days"]["2026-01-07"] == "done"
    assert line["message"] == (
        "2 of 4 days are missing: 2026-01-05, 2026-01-06; the others have run. First: nothing in landing for 2026-01-05"
    )


def test_a_range_without_any_day_is_missing(said: Any) -> None:
    code, line = said(ingest("2026-01-05", "2026-01-06"), "2026-01-05..2026-01-06")
    assert (code, line["outcome"]) == (4, "missing")


def test_one_dataset_with_a_gap_makes_the_whole_incomplete(said: Any) -> None:
    def main(run: Run) -> Outcome:
        if run.contract.name == "churn" and str(run.ds) == "2026-01-05":
            raise SourceMissingError("nothing in landing")
        return Outcome()

    steps = [ChainStep(Job("ingest", main))]
    code, line = said(steps, "2026-01-05..2026-01-06", "churn", "transactions")
    outcomes = {name: each["outcome"] for name, each in line["datasets"].items()}
    assert (code, line["outcome"], outcomes) == (4, "incomplete", {"churn": "incomplete", "transactions": "done"})
    code, line = said(steps, "2026-01-05", "churn", "transactions")
    assert (code, line["outcome"]) == (4, "incomplete")


def test_each_of_several_datasets_names_its_missing_days(said: Any) -> None:
    code, line = said([ChainStep(ingest("2026-01-05"))], "2026-01-05", "churn", "transactions")
    assert (code, line["missing"]) == (4, ["2026-01-05"])
    assert line["message"] == (
        "churn: nothing in landing for 2026-01-05; transactions: nothing in landing for 2026-01-05"
    )


def test_a_range_of_several_datasets_runs_every_day_of_each(said: Any) -> None:
    steps = [ChainStep(ingest(), ahead=True), ChainStep(validate(), {"table": "raw"})]
    code, line = said(steps, "2026-01-05..2026-01-07", "churn", "transactions")
    days = dict.fromkeys(["2026-01-05", "2026-01-06", "2026-01-07"], "done")
    assert (code, {name: each["days"] for name, each in line["datasets"].items()}) == (
        0,
        {"churn": days, "transactions": days},
    )


def test_a_failed_range_names_its_day_and_job(said: Any) -> None:
    def main(run: Run) -> Outcome:
        if str(run.ds) == "2026-01-06":
            raise ContractViolationError("two files are refused")
        return Outcome("done", {})

    job = Job("ingest", main)
    for work in (job, [ChainStep(job)]):
        code, line = said(work, "2026-01-05..2026-01-07")
        assert code == 3
        assert line["message"] == "two files are refused (ingest of churn 2026-01-06)"


@pytest.mark.parametrize("datasets", [("churn",), ("transactions", "churn")])
def test_a_refused_declaration_ends_a_chain_before_it_began(said: Any, tmp_path: Path, datasets: Any) -> None:
    def refuse(run: Run) -> None:
        if run.contract.name == "churn":
            raise UsageError(f"{run.job}: another definition")

    steps = [ChainStep(ingest()), ChainStep(Job("features", lambda run: Outcome(), check=refuse))]
    code, line = said(steps, "2026-01-05", *datasets)
    assert (code, line["message"]) == (2, "features: another definition")
    assert not (tmp_path / "lake").exists()


def test_what_a_datasets_code_prints_never_reaches_stdout(
    visits: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (visits / "transforms.py").write_text(
        'print("when imported")\n\n\ndef derive(rows):\n    print("when it derives")\n    return rows\n\n\n'
        'def measure(rows):\n    print("when it measures")\n    return rows\n'
    )

    def main(run: Run) -> Outcome:
        rows: Any = SimpleNamespace(columns=["visit_id"])
        run.dataset.measure(run.dataset.derive(rows))
        return Outcome("done")

    steps = [ChainStep(Job("clean", main))]
    with pytest.raises(SystemExit):
        run_chain_job(steps, ["--dataset", "visits", "--ds", "2026-01-05", "--lake", str(tmp_path / "lake")])
    said = capsys.readouterr()
    (line,) = said.out.splitlines()
    assert json.loads(line)["outcome"] == "done", line
    for printed in ("when imported", "when it derives", "when it measures"):
        assert printed in said.err


def test_help_exits_with_0(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        run_job(ingest(), argv=["--help"])
    shown = capsys.readouterr().out
    assert (left.value.code, "--full-refresh" in shown, "outcome" in shown) == (0, True, False)
    assert all(f"  {code:<4}{meaning}" in shown for code, meaning in EXIT_CODES.items())
    assert "spark-submit jobs/ingest.py --dataset churn --ds 2026-01-05" in shown


def test_version_exits_with_0(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        run_job(ingest(), argv=["--version"])
    assert (left.value.code, capsys.readouterr().out.split()[0]) == (0, "feature-pipeline")


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        ("--datset churn --ds 2026-01-05", "--dataset"),
        ("--dataset chrun --ds 2026-01-05", "churn"),
        ("--dataset churn --ds 2026-01-05 --env locl", "local"),
        ("--dataset churn --ds 2026-01-05 --full-refesh", "--full-refresh"),
    ],
)
def test_a_mistyped_word_names_the_one_that_was_meant(
    words: str, meant: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as left:
        run_job(ingest(), argv=words.split())
    assert left.value.code == 2
    assert f"did you mean {meant}?" in json.loads(capsys.readouterr().out)["message"]


def test_a_day_in_the_future_exits_with_2_and_leaves_no_record(said: Any, tmp_path: Path) -> None:
    code, line = said(ingest(), "2026-01-05..2026-01-06")
    assert code == 0
    for ds in ("2062-01-05", "2062-01-04..2062-01-05"):
        code, line = said(ingest("2062-01-05"), ds)
        assert (code, line["error"]) == (2, "UsageError")
        assert "2062-01-05 is in the future" in line["message"]
    assert sorted(path.stem for path in (tmp_path / "lake/runs").rglob("*.json")) == ["2026-01-05", "2026-01-06"]


def test_warnings_on_the_way_are_listed_once_with_their_day(said: Any) -> None:
    once = validate()
    steps = [ChainStep(once, {"table": "raw"}), ChainStep(once, {"table": "features"})]
    _, line = said(steps, "2026-01-05")
    assert line["warnings"] == [DRIFT] * 2
    _, line = said(steps, "2026-01-05..2026-01-06")
    assert line["warnings"] == [{**DRIFT, "ds": "2026-01-06"}] * 2, "the day before has nothing new to say"
    _, line = said(steps, "2026-01-05..2026-01-06")
    assert (line["outcome"], "warnings" in line) == ("nothing", False)


class Diary:
    """A chain of two steps that records when each step begins and ends; the first can run ahead."""

    def __init__(self, tmp_path: Path) -> None:
        self.tmp_path = tmp_path
        self.said: list[str] = []
        self.began = {"ingest 05": Event(), "ingest 06": Event()}
        self.fails: set[str] = set()
        # A test waits for it to begin only then.
        self.awaits: dict[str, str] = {}

    def run(self, workers: Executor) -> list[Any]:
        settings = load_settings("local", lake=str(self.tmp_path / "lake"))
        days = [date(2026, 1, day) for day in (4, 5, 6)]
        runs = [Run("backfill", datasets.load("churn"), day, settings, "run", "code") for day in days]
        return run_chain([ChainStep(self._job("ingest"), ahead=True), ChainStep(self._job("clean"))], runs, workers)

    def _job(self, name: str) -> Job:
        def main(run: Run) -> Outcome:
            step = f"{name} {run.ds:%d}"
            self.said.append(step)
            if step in self.began:
                self.began[step].set()
            if step in self.awaits:
                assert self.began[self.awaits[step]].wait(20), f"{self.awaits[step]} did not begin beside {step}"
            if step in self.fails:
                raise ContractViolationError(f"{step} is bad")
            self.said.append(f"{step} done")
            return Outcome("done", {"landed": 3})

        return Job(name, main)


@pytest.fixture
def diary(tmp_path: Path) -> Diary:
    return Diary(tmp_path)


@pytest.fixture
def one() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as workers:
        yield workers


@pytest.fixture
def two() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(2) as workers:
        yield workers


IN_ORDER = [
    f"{step} {day}{done}" for day in ("04", "05", "06") for step in ("ingest", "clean") for done in ("", " done")
]


def test_a_free_worker_begins_the_next_day_ahead(diary: Diary, two: Executor) -> None:
    diary.awaits = {"clean 04": "ingest 05", "clean 05": "ingest 06"}
    lines = diary.run(two)
    assert sorted(diary.said) == sorted(IN_ORDER), "and each step is done once"
    assert [(line["ds"], line["outcome"]) for line in lines] == [
        (day, "done") for day in ("2026-01-04", "2026-01-05", "2026-01-06")
    ]
    assert lines[1]["counts"] == {"ingest_landed": 3, "clean_landed": 3}


def test_without_a_free_worker_days_run_one_by_one(diary: Diary, one: Executor) -> None:
    diary.run(one)
    assert diary.said == IN_ORDER


def test_a_bad_day_begun_ahead_fails_when_its_turn_comes(diary: Diary, two: Executor) -> None:
    diary.awaits, diary.fails = {"clean 04": "ingest 05"}, {"ingest 05"}
    with pytest.raises(ContractViolationError, match="ingest 05 is bad"):
        diary.run(two)
    assert "clean 04 done" in diary.said
    assert [step for step in diary.said if step.startswith(("ingest 05", "clean 05", "ingest 06"))] == ["ingest 05"]


def test_after_a_bad_day_nothing_more_is_begun(diary: Diary, one: Executor) -> None:
    diary.fails = {"clean 04"}
    with pytest.raises(ContractViolationError, match="clean 04 is bad"):
        diary.run(one)
    one.shutdown()
    assert diary.said == ["ingest 04", "ingest 04 done", "clean 04"]
