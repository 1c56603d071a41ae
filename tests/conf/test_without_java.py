"""With SPARK_REMOTE, a job runs without Java; what is typed for spark-submit is understood all the same."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from conf.spark.driver import needs_java, settings, split
from tests.house.test_imports import ROOT
from tests.support.datasets import datasets_in
from tests.support.ports import free_port
from tests.support.visits import write_visits

SUBMIT = ROOT / "conf/spark/spark-submit"
DAY = ("--dataset", "churn", "--ds", "2026-01-05")
JDBC = 'source=Jdbc(database="shop", table="visits"),'


def submit(*words: str, **environment: str) -> tuple[int, str, str]:
    known = {**os.environ, "PYTHONPATH": str(ROOT), "JAVA_HOME": "/nowhere", **environment}
    done = subprocess.run([SUBMIT, *words], cwd=ROOT, env=known, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize(
    ("typed", "given", "job"),
    [
        ("x.py --ds 1", {}, ["x.py", "--ds", "1"]),
        (
            "--conf a.b=c --conf d=e --master local[*] x.py --conf y=z",
            {"a.b": "c", "d": "e"},
            ["x.py", "--conf", "y=z"],
        ),
        ("--conf=a.b=c=d -c e= --name x.py jobs/x.py", {"a.b": "c=d", "e": ""}, ["jobs/x.py"]),
        ("--verbose --master=local x.py", {}, ["x.py"]),
        ("--conf", {}, []),
    ],
)
def test_words_for_spark_and_for_the_job_are_told_apart(typed: str, given: dict[str, str], job: list[str]) -> None:
    options, rest = split(typed.split())
    assert (settings(options), rest) == (given, job)


def test_a_dataset_of_files_needs_no_java() -> None:
    assert not needs_java([str(ROOT / "jobs/ingest.py"), *DAY])


def test_a_source_that_is_read_through_java_gets_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with datasets_in(tmp_path):
        contract = write_visits(tmp_path) / "contract.py"
        text = contract.read_text().replace("CONTRACT = Contract(", f"CONTRACT = Contract({JDBC}")
        contract.write_text(f"from common.sources.databases.jdbc import Jdbc\n{text}")
        visits = ["--dataset=visits", "--ds", "2026-01-05"]
        assert needs_java([str(ROOT / "jobs/ingest.py"), *visits])
        assert needs_java([str(ROOT / "jobs/backfill.py"), "--dataset", "churn", "visits"])
        assert not needs_java([str(ROOT / "jobs/clean.py"), *visits])


def test_without_a_server_the_job_says_what_to_do(tmp_path: Path) -> None:
    landed = tmp_path / "landing/transactions/2026-01-05"
    landed.mkdir(parents=True)
    header = "transaction_id,user_id,timestamp,purchase_amount,category,age,gender\n"
    (landed / "part.csv").write_text(header + "a,1,2026-01-05T10:00:00Z,1.00,food,30,F\n")
    port = free_port()
    code, printed, said = submit(
        "jobs/ingest.py", "--dataset", "transactions", "--ds", "2026-01-05",
        "--lake", str(tmp_path / "lake"), "--landing", str(tmp_path / "landing"),
        SPARK_REMOTE=f"sc://localhost:{port}",
    )  # fmt: skip
    (line,) = map(json.loads, printed.splitlines())
    assert (code, line["error"]) == (1, "ClusterUnavailableError"), said
    assert line["message"].startswith(f"no Spark Connect server answers at localhost:{port}. Start it with `make warm`")
    assert len(said.splitlines()) == 1


def test_a_wrong_word_is_told_as_with_java() -> None:
    code, printed, said = submit(
        "--conf", "spark.x=y", "jobs/clean.py", *DAY, "--bogus", SPARK_REMOTE="sc://localhost:1"
    )
    (line,) = map(json.loads, printed.splitlines())
    assert (code, line["job"], line["error"]) == (2, "clean", "UsageError")
    assert "--bogus is not an option of this command" in said
