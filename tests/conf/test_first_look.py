"""What is typed wrongly for a job is told before Java starts, in the job's own words; what is right goes on."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.house.test_imports import ROOT
from tests.support.job_line import line_of

SUBMIT = ROOT / "conf/spark/spark-submit"
JOBS = sorted(path.stem for path in (ROOT / "jobs").glob("*.py") if "orchestration.cli import" in path.read_text())
# With this, Java can't be found.
NO_JAVA = {"JAVA_HOME": "/nowhere"}
RIGHT = ("--dataset", "churn", "--ds", "2026-01-05")
WRONG = {
    ("--dataset", "nosuch", "--ds", "2026-01-05"): "--dataset 'nosuch' is unknown",
    ("--dataset", "../x", "--ds", "2026-01-05"): "--dataset '../x' is unknown",
    ("--dataset", "churn", "--ds", "2026-02-30"): "--ds '2026-02-30' is not a date",
    ("--dataset", "churn", "--ds", "2962-01-05"): "is in the future",
    ("--dataset", "churn"): "the following arguments are required: --ds",
    (*RIGHT, "--env", "moon"): "--env 'moon' is not known",
    (*RIGHT, "--lake", "gs://x"): "--lake 'gs://x' is of a kind that is not supported",
    (*RIGHT, "--landing", ""): "--landing '' names nothing",
    (*RIGHT, "--lkae", "x"): "--lkae is not an option of this command (did you mean --lake?)",
}


def submit(*words: str, folder: Path = ROOT, **environment: str) -> tuple[int, str, str, float]:
    """Its exit code, what it prints and says, and how much time of a processor it takes."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    known = {**os.environ, "PYTHONPATH": str(ROOT), **NO_JAVA, **environment}
    done = subprocess.run([SUBMIT, *words], cwd=folder, env=known, capture_output=True, text=True, check=False)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return done.returncode, done.stdout, done.stderr, spent


def test_all_jobs_are_known() -> None:
    assert len(JOBS) >= 15
    assert {"ingest", "backfill", "stream", "training_set"} <= {*JOBS}


@pytest.mark.parametrize("words", WRONG, ids=lambda words: " ".join(words[-2:]))
def test_a_wrong_word_is_told_before_java_starts(words: tuple[str, ...]) -> None:
    code, printed, said, spent = submit("--conf", "spark.x=y", "jobs/ingest.py", *words)
    (line,) = map(line_of, printed.splitlines())
    assert (code, line["job"], line["outcome"], line["error"]) == (2, "ingest", "failed", "UsageError")
    assert WRONG[words] in line["message"]
    (told,) = said.splitlines()
    assert told.endswith(f"ERROR {line['message']}")
    assert spent < 1


@pytest.mark.parametrize("job", JOBS)
def test_every_job_is_looked_at(job: str, tmp_path: Path) -> None:
    """From any folder, also one with modules of the same names."""
    (tmp_path / "json.py").write_text("raise SystemExit(9)")
    code, printed, _, _ = submit(str(ROOT / "jobs" / f"{job}.py"), "--dataset", "churn", "--bogus", folder=tmp_path)
    assert (code, json.loads(printed)["job"]) == (2, job)
    assert "--bogus is not an option of this command" in json.loads(printed)["message"]


@pytest.mark.parametrize(("variable", "place"), [("LAKE", ""), ("LANDING", "/etc/passwd")])
def test_a_wrong_place_in_the_environment_is_told(variable: str, place: str) -> None:
    code, printed, _, _ = submit("jobs/clean.py", *RIGHT, **{variable: place})
    assert (code, json.loads(printed)["message"].split()[0]) == (2, variable)


@pytest.mark.parametrize("job", ["ingest", "validate", "stream", "backfill"])
def test_help_is_that_of_the_job(job: str) -> None:
    code, printed, _, _ = submit(f"jobs/{job}.py", "--help")
    own = [sys.executable, f"jobs/{job}.py", "--help"]
    done = subprocess.run(
        own, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=True
    )
    assert (code, printed) == (0, done.stdout)


@pytest.mark.parametrize("program", ["jobs/clean.py", "jobs/new_dataset.py", "elsewhere/jobs/clean.py"])
def test_what_may_be_right_goes_on(program: str) -> None:
    code, printed, said, _ = submit(program, *RIGHT)
    assert (code, printed) == (1 if code == 1 else 127, "")
    assert "/nowhere/bin/java" in said


OPTIMISED = "-XX:TieredStopAtLevel=4"
OWN = ("--conf", "spark.driver.extraJavaOptions=-Dx=y")


@pytest.mark.parametrize(("landed", "options", "optimised"), [(128, (), True), (127, (), False), (128, OWN, False)])
def test_the_compiler_suits_what_has_landed(
    landed: int, options: tuple[str, ...], optimised: bool, tmp_path: Path
) -> None:
    """Two files a day; what is said about Java by hand stays as it is."""
    shows = tmp_path / "java/bin/java"
    shows.parent.mkdir(parents=True)
    shows.write_text('#!/bin/sh\necho "$@" >&2\nexit 1\n')
    shows.chmod(0o755)
    for name in ("a.csv", "b.csv"):
        file = tmp_path / "landing/churn/ds=2026-01-05" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
        os.truncate(file, landed << 19)
    places = {"LANDING": str(tmp_path / "landing"), "JAVA_HOME": str(tmp_path / "java")}
    _, _, said, _ = submit(*options, "jobs/ingest.py", *RIGHT, **places)
    assert "jobs/ingest.py --dataset churn" in said
    assert (OPTIMISED in said) == optimised


def test_ctrl_c_at_that_moment_is_one_line(tmp_path: Path) -> None:
    waiting = "import os, time\nos.write(2, b'looking\\n')\ntime.sleep(1)\n"
    (tmp_path / "sitecustomize.py").write_text(waiting)
    known = {**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}", **NO_JAVA}
    process = subprocess.Popen(
        [SUBMIT, "jobs/clean.py", *RIGHT],
        cwd=ROOT,
        env=known,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stderr
    assert process.stderr.readline() == "looking\n"
    os.killpg(process.pid, signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert said == "interrupted while it started; nothing was touched: run the same command again\n"
