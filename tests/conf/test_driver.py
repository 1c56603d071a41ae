"""A job starts its Java once it needs Spark: what is typed wrongly, or is up to date, starts none.

What spark-submit starts for a job is run in this process, but for a test of each kind of answer.
"""

from __future__ import annotations

import json
import os
import resource
import shlex
import signal
import subprocess
from pathlib import Path

import pytest

from tests.house.test_imports import ROOT
from tests.support.job_line import line_of
from tests.support.typed_here import typed

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


@pytest.fixture
def landing(tmp_path: Path) -> Path:
    day = tmp_path / "landing/churn/ds=2026-01-05"
    day.mkdir(parents=True)
    for name in ("a.csv", "b.csv"):
        (day / name).write_text("customer_id\nc1\n")
    return tmp_path / "landing"


def places(landing: Path) -> dict[str, str]:
    return {"LANDING": str(landing), "LAKE": str(landing.parent / "lake")}


def shown(folder: Path) -> dict[str, str]:
    """A Java that shows what it is given, and ends."""
    shows = folder / "java/bin/java"
    shows.parent.mkdir(parents=True)
    shows.write_text('#!/bin/sh\necho "$@" >&2\nexit 1\n')
    shows.chmod(0o755)
    return {"JAVA_HOME": str(folder / "java")}


def test_all_jobs_are_known() -> None:
    assert len(JOBS) >= 15
    assert {"ingest", "backfill", "stream", "training_set"} <= {*JOBS}


def require_told(words: tuple[str, ...], code: int, printed: str, said: str) -> None:
    (line,) = map(line_of, printed.splitlines())
    assert (code, line["job"], line["outcome"], line["error"]) == (2, "ingest", "failed", "UsageError")
    assert WRONG[words] in line["message"]
    (told,) = said.splitlines()
    assert told.endswith(f"ERROR {line['message']}")


def test_a_wrong_word_is_told_before_java_starts() -> None:
    words = next(iter(WRONG))
    *ended, spent = submit("--conf", "spark.x=y", "jobs/ingest.py", *words)
    require_told(words, *ended)
    assert spent < 1


@pytest.mark.parametrize("words", WRONG, ids=lambda words: " ".join(words[-2:]))
def test_each_wrong_word_is_told(words: tuple[str, ...]) -> None:
    require_told(words, *typed(shlex.join(["spark-submit", "--conf", "spark.x=y", "jobs/ingest.py", *words])))


def require_looked_at(job: str, code: int, printed: str) -> None:
    assert (code, json.loads(printed)["job"]) == (2, job)
    assert "--bogus is not an option of this command" in json.loads(printed)["message"]


def test_a_job_is_looked_at_from_any_folder(tmp_path: Path) -> None:
    """Also from one with modules of the same names."""
    (tmp_path / "json.py").write_text("raise SystemExit(9)")
    code, printed, _, _ = submit(f"{ROOT}/jobs/clean.py", "--dataset", "churn", "--bogus", folder=tmp_path)
    require_looked_at("clean", code, printed)


@pytest.mark.parametrize("job", JOBS)
def test_every_job_is_looked_at(job: str) -> None:
    code, printed, _ = typed(f"spark-submit jobs/{job}.py --dataset churn --bogus")
    require_looked_at(job, code, printed)


@pytest.mark.parametrize(("variable", "place"), [("LAKE", ""), ("LANDING", "/etc/passwd")])
def test_a_wrong_place_in_the_environment_is_told(variable: str, place: str) -> None:
    code, printed, _ = typed(shlex.join(["spark-submit", "jobs/clean.py", *RIGHT]), **{variable: place})
    assert (code, json.loads(printed)["message"].split()[0]) == (2, variable)


@pytest.mark.parametrize("job", ["ingest", "validate", "stream", "backfill"])
def test_help_is_that_of_the_job(job: str) -> None:
    code, printed, _ = typed(f"spark-submit jobs/{job}.py --help")
    assert (code, printed) == typed(f"python jobs/{job}.py --help")[:2]
    assert printed.startswith(f"usage: jobs/{job}.py [-h]")


def test_without_java_the_job_says_what_to_do(landing: Path) -> None:
    code, printed, said, _ = submit("jobs/ingest.py", *RIGHT, **places(landing))
    line = line_of(printed)
    assert (code, line["outcome"], line["error"]) == (1, "failed", "PipelineError")
    assert line["message"].startswith("Java did not start; what it said stands above. Expected Java 17 on PATH")
    assert "/nowhere/bin/java" in said
    assert "Traceback" not in said


def test_what_is_no_job_of_ours_is_left_to_spark(tmp_path: Path) -> None:
    program = tmp_path / "jobs/clean.py"
    program.parent.mkdir()
    program.touch()
    code, printed, said, _ = submit(str(program), *RIGHT, **shown(tmp_path))
    assert (code, printed) == (1, "")
    assert f"{program} --dataset churn" in said


@pytest.mark.parametrize("option", [("--deploy-mode", "cluster"), ("--deploy-mode=cluster",)])
def test_a_driver_on_the_cluster_is_left_to_spark(option: tuple[str, ...], tmp_path: Path) -> None:
    _, _, said, _ = submit(*option, "jobs/clean.py", *RIGHT, **shown(tmp_path))
    assert "jobs/clean.py --dataset churn" in said


OPTIMISED = "-XX:TieredStopAtLevel=4"
OWN = ("--conf", "spark.driver.extraJavaOptions=-Dx=y")


@pytest.mark.parametrize(("landed", "options", "optimised"), [(128, (), True), (127, (), False), (128, OWN, False)])
def test_the_compiler_suits_what_has_landed(
    landed: int, options: tuple[str, ...], optimised: bool, landing: Path, tmp_path: Path
) -> None:
    """Two files a day; what is said about Java by hand stays as it is."""
    for file in (landing / "churn/ds=2026-01-05").iterdir():
        os.truncate(file, landed << 19)
    _, _, said, _ = submit(*options, "jobs/ingest.py", *RIGHT, **places(landing), **shown(tmp_path))
    assert "pyspark-shell" in said
    assert (OPTIMISED in said) == optimised
    assert all(option in said for option in options)


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
