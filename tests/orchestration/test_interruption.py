"""Ctrl-C ends a job with one line; running it again goes on. Without Spark: a job's work is a few lines of Python."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from common.lake.storage.files import read_json
from tests.support.job_line import line_of

ROOT = Path(__file__).resolve().parents[2]
DAYS = "2026-01-05..2026-01-07"
SECOND = "2026-01-06"
JOBS = f"""
import os, sys, threading
from pathlib import Path
from common.lake.storage.locks import committing
from common.orchestration.cli import run_chain_job, run_job
from common.orchestration.job import ChainStep, Job
from common.runtime.run import Outcome

def say(text):
    os.write(2, (text + "\\n").encode())  # whole lines from several threads

def hang(run):
    if str(run.ds) == "{SECOND}" and not run.full_refresh:
        say("at work")
        threading.Event().wait()
    return Outcome("done", {{"landed": 3}})

def commit(run):
    with committing(run.settings.lake, "raw/churn"):
        say("at work")
        sys.stdin.readline()
        Path(run.settings.lake, "whole").touch()
    threading.Event().wait()

def job(main):
    return Job("ingest", main)

"""


class Submitted:
    """A job in a process of its own, up to where its work hangs."""

    def __init__(self, lake: Path, call: str, *arguments: str) -> None:
        command = [sys.executable, "-c", JOBS + call, *(arguments or ("--dataset", "churn", "--ds", DAYS))]
        self.process = subprocess.Popen(
            [*command, "--lake", str(lake)], cwd=ROOT, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        self.shown: list[str] = []

    def until(self, text: str) -> None:
        assert self.process.stderr
        for line in self.process.stderr:
            self.shown.append(line)
            if text in line:
                return
        raise AssertionError("".join(self.shown))

    def end(self, number: int, then: str = "") -> tuple[int, dict[str, Any], list[str]]:
        self.process.send_signal(number)
        out, err = self.process.communicate(then, timeout=60)
        return self.process.returncode, line_of(out), err.splitlines()


@pytest.fixture
def lake(tmp_path: Path) -> Iterator[Path]:
    (tmp_path / "lake").mkdir()
    yield tmp_path / "lake"


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.parametrize("call", ["run_job(job(hang))", "run_chain_job([ChainStep(job(hang))])"])
def test_a_signal_ends_a_range_with_one_line(lake: Path, call: str, number: int, code: int) -> None:
    submitted = Submitted(lake, call)
    submitted.until("at work")
    left, line, said = submitted.end(number)
    assert (left, line["outcome"], line["error"], line["ds"]) == (code, "interrupted", "Interrupted", DAYS)
    assert line["days"] == {"2026-01-05": "done"}
    assert line["message"] == (
        f"interrupted in ingest of churn {SECOND} after 1 day of churn; "
        "nothing is half written: run the same command again and it goes on"
    )
    assert [text.partition("WARNING ")[2] for text in said] == [line["message"]]


def test_the_run_log_keeps_what_was_cut_off(lake: Path) -> None:
    submitted = Submitted(lake, "run_job(job(hang))")
    submitted.until("at work")
    submitted.end(signal.SIGINT)
    kept = {ds: read_json(f"{lake}/runs/churn/ingest/{ds}.json") or {} for ds in ("2026-01-05", SECOND)}
    assert kept["2026-01-05"]["failure"] is None
    assert kept[SECOND]["failure"]["error"] == "Interrupted"
    again = Submitted(lake, "run_job(job(lambda run: Outcome()))")
    out, _ = again.process.communicate(timeout=60)
    assert (again.process.returncode, json.loads(out)["outcome"]) == (0, "done")
    assert (read_json(f"{lake}/runs/churn/ingest/{SECOND}.json") or {})["failure"] is None


def test_datasets_side_by_side_end_together(lake: Path) -> None:
    submitted = Submitted(
        lake, "run_chain_job([ChainStep(job(hang))])", "--dataset", "churn", "transactions", "--ds", DAYS
    )
    submitted.until("at work")
    submitted.until("at work")  # both
    code, line, said = submitted.end(signal.SIGINT)
    assert (code, len(said)) == (130, 1)
    one_day = {"days": {"2026-01-05": "done"}}
    assert line["datasets"] == {"churn": one_day, "transactions": one_day}
    assert f"ingest of churn {SECOND} and ingest of transactions {SECOND} after 1 day of churn, 1 day of" in said[0]


def test_a_commit_in_progress_ends_first(lake: Path) -> None:
    submitted = Submitted(lake, "run_job(job(commit))")
    submitted.until("at work")
    code, line, _ = submitted.end(signal.SIGINT, then="go on\n")
    assert (code, line["outcome"]) == (130, "interrupted")
    assert (lake / "whole").exists()


def test_a_second_ctrl_c_ends_at_once(lake: Path) -> None:
    submitted = Submitted(lake, "run_job(job(commit))")
    submitted.until("at work")
    submitted.process.send_signal(signal.SIGINT)
    submitted.until("commit in progress")
    submitted.process.send_signal(signal.SIGINT)
    assert submitted.process.wait(60) == 130
    assert not (lake / "whole").exists()
