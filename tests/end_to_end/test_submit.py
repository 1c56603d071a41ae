"""The command line through the real spark-submit: exit codes and the JSON line."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from deltalake import DeltaTable

from common.lake.storage.locks import hold
from jobs.clean import CLEAN
from tests.support.job_line import line_of
from tests.support.play_lake import PlayLake
from tests.support.tables_as_text import assert_rows
from tests.support.typed_here import typed

ROOT = Path(__file__).resolve().parents[2]
SUBMIT = ROOT / ".venv" / "bin" / "spark-submit"
DAY = "2026-01-05"
QUICK = {"SPARK_SUBMIT_OPTS": "-XX:TieredStopAtLevel=1"}


@pytest.fixture
def lake(tmp_path: Path) -> PlayLake:
    """Needs no Spark session: the submitted job starts its own."""
    return PlayLake(tmp_path)


def command(lake: PlayLake, job: str, *arguments: str) -> list[str]:
    places = ["--lake", str(lake.root / "lake"), "--landing", str(lake.landing)]
    return [str(SUBMIT), str(ROOT / "jobs" / f"{job}.py"), *arguments, *places]


def submit(lake: PlayLake, job: str, *arguments: str, **environment: str) -> tuple[int, dict[str, Any], str]:
    done = subprocess.run(
        command(lake, job, *arguments),
        env={**os.environ, **QUICK, **environment},
        cwd=lake.root,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    return done.returncode, line_of(done.stdout), done.stderr


def here(lake: PlayLake, job: str, *arguments: str, **environment: str) -> tuple[int, dict[str, Any], str]:
    """What spark-submit starts for the job, in this process."""
    code, printed, said = typed(shlex.join(command(lake, job, *arguments)), **environment)
    return code, line_of(printed), said


@pytest.mark.parametrize(
    ("arguments", "said", "run"),
    [
        (["--dataset", "transactions", "--ds", "2026-02-30"], "expected YYYY-MM-DD", submit),
        (["--dataset", "../x", "--ds", DAY], "expected one of: churn, ", here),
        (["--dataset", "transactions", "--ds", DAY, "--env", "moon"], "expected one of: cluster, compose, local", here),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_bad_arguments_touch_nothing(lake: PlayLake, arguments: list[str], said: str, run: Callable[..., Any]) -> None:
    code, line, errors = run(lake, "ingest", *arguments)
    assert (code, line["outcome"], line["error"]) == (2, "failed", "UsageError")
    assert said in line["message"]
    assert said in errors
    assert not (lake.root / "lake").exists()


def test_submitted_jobs_use_the_installed_compiled_pyspark(tmp_path: Path) -> None:
    script = tmp_path / "where.py"
    script.write_text("import py4j, pyspark; print(pyspark.__file__, py4j.__file__)")
    done = subprocess.run([str(SUBMIT), str(script)], capture_output=True, text=True, check=True, timeout=60)
    assert ".zip" not in done.stdout


@pytest.mark.parametrize("run", [here, pytest.param(submit, marks=pytest.mark.slow)])
def test_no_landing_exits_with_4_and_a_broken_contract_with_3(
    lake: PlayLake, spark: object, run: Callable[..., Any]
) -> None:
    code, line, _ = here(lake, "ingest", "--dataset", "transactions", "--ds", DAY)
    assert (code, line["error"]) == (4, "SourceMissingError")
    lake.land_bytes(DAY, b"transaction_id\nt1\n")
    code, line, said = run(lake, "ingest", "--dataset", "transactions", "--ds", DAY)
    assert (code, line["failures"][0]["file"]) == (3, "part.csv")
    assert "part.csv: its header lacks" in said


def test_a_day_locked_by_another_run_exits_with_5(lake: PlayLake) -> None:
    lake.land(DAY, "transaction_id\na")
    with hold(str(lake.root / "lake"), f"transactions/ingest/{DAY}", 0):
        code, line, said = submit(lake, "ingest", "--dataset", "transactions", "--ds", DAY, LOCK_WAIT_SECONDS="0.1")
    assert (code, line["error"]) == (5, "LockedError")
    assert f"held by process {os.getpid()}" in said


def test_spark_runs_where_the_hostname_does_not_resolve() -> None:
    named = "hostname nobody-knows-it && exec "
    alone = ["unshare", "--map-root-user", "--uts", "sh", "-c"]
    if subprocess.run([*alone, f"{named} true"], capture_output=True, check=False).returncode:
        pytest.skip("this machine lets nobody give it another name")
    done = subprocess.run([*alone, f"{named} {SUBMIT} --version"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("run", [here, pytest.param(submit, marks=pytest.mark.slow)])
def test_jobs_submitted_one_by_one_equal_one_session(
    one_made: PlayLake, tmp_path_factory: pytest.TempPathFactory, run: Callable[..., Any]
) -> None:
    """On existing tables, with a new session for each job, and a Spark of its own for the last one at least."""
    next_day, lake = "2026-01-06", one_made
    lake.land(next_day, f"transaction_id | purchase_amount | timestamp\na | 9 | {DAY}T11:00:00Z\nc | 3 | {next_day}")
    together = lake.copied(tmp_path_factory.mktemp("together"))
    together.ingest(next_day)
    together.run(CLEAN, next_day)
    together.validate(next_day)
    together.features(next_day)
    for job, runner in (("ingest", run), ("clean", run), ("validate", run), ("features", submit)):
        code, _, said = runner(lake, job, "--dataset", "transactions", "--ds", next_day)
        assert code == 0, said
    assert lake.content() == together.content()
    assert_rows(lake.feature_rows(next_day), "user_id | purchases_7d | spend_7d\n1 | 2 | 12.00")


def test_a_killed_run_that_is_repeated_equals_a_clean_run(
    lake: PlayLake, spark: object, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Sends kill -9 after clean's first commit; readers never see half a day."""
    text = "transaction_id | category | timestamp\na | food | 2026-01-05T01:00:00Z\na | home | 2026-01-05\nb | toys | -"
    undisturbed = PlayLake(tmp_path_factory.mktemp("undisturbed"))
    lake.land(DAY, text)
    lake.ingest(DAY)
    shutil.copytree(lake.root, undisturbed.root, dirs_exist_ok=True)
    undisturbed.run(CLEAN, DAY)
    day = ("--dataset", "transactions", "--ds", DAY)
    victim = subprocess.Popen(
        command(lake, "clean", *day), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
        env={**os.environ, **QUICK},
    )  # fmt: skip
    first_commit = lake.root / "lake" / "quarantine" / "transactions" / "_delta_log" / "00000000000000000001.json"
    deadline = time.monotonic() + 120
    while not first_commit.exists() and victim.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    os.killpg(victim.pid, signal.SIGKILL)
    victim.wait()
    assert first_commit.exists()
    assert "processed/transactions" not in lake.state() or lake.rows("processed") == []
    assert lake.run(CLEAN, DAY)["outcome"] == "done"
    assert lake.content() == undisturbed.content()


def test_submit_options_beat_conf_unless_they_change_results(tmp_path: Path) -> None:
    script = tmp_path / "shows.py"
    script.write_text(
        "from common.runtime.session import open_session\nfrom common.runtime.settings import load_settings\n"
        "conf = open_session(load_settings('local'), 'shows').conf\n"
        "print(conf.get('spark.sql.shuffle.partitions'), conf.get('spark.sql.ansi.enabled'), conf.get('spark.master'))"
    )
    given = ["--conf", "spark.sql.shuffle.partitions=7", "--conf", "spark.sql.ansi.enabled=false"]
    done = subprocess.run(
        [SUBMIT, *given, script], env={**os.environ, **QUICK}, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "7 true local[*]"


FULL = """
set -e
mount -t tmpfs -o size=8m tmpfs "$LAKE"
cp -r "$READY/." "$LAKE"
head -c 100M /dev/zero > "$LAKE/filler" 2>/dev/null || true
for turn in full free; do
    status=0
    "$@" >"$OUT/$turn.json" 2>"$OUT/$turn.log" || status=$?
    echo "$status" > "$OUT/$turn.status"
    cp -r "$LAKE/raw" "$OUT/$turn"
    rm -f "$LAKE/filler"
done
"""


@pytest.mark.slow
def test_a_full_disk_commits_nothing_and_the_day_heals_later(lake: PlayLake, spark: object) -> None:
    """On a small disk of its own, in a mount namespace."""
    if subprocess.run(["unshare", "-rm", "true"], capture_output=True, check=False).returncode:
        pytest.skip("this machine allows no namespaces")
    lake.land(DAY, "transaction_id\na")
    lake.ingest(DAY)
    ready = (lake.root / "lake").rename(lake.root / "ready")
    (lake.root / "lake").mkdir()
    out = lake.root / "out"
    out.mkdir()
    lake.land("2026-01-06", "transaction_id\n" + "\n".join(f"b{n}" for n in range(2000)))
    job = command(lake, "ingest", "--dataset", "transactions", "--ds", "2026-01-06")
    places = {"LAKE": str(lake.root / "lake"), "READY": str(ready), "OUT": str(out)}
    subprocess.run(
        ["unshare", "-rm", "bash", "-c", FULL, "full", *job],
        env={**os.environ, **QUICK, **places},
        check=True,
        timeout=300,
    )
    said = {turn: json.loads((out / f"{turn}.json").read_text().splitlines()[-1]) for turn in ("full", "free")}
    assert (out / "full.status").read_text().strip() == "1"
    assert "No space left on device" in said["full"]["message"]
    assert DeltaTable(str(out / "full" / "transactions")).to_pyarrow_table().num_rows == 1
    assert ((out / "free.status").read_text().strip(), said["free"]["outcome"]) == ("0", "done")
    assert DeltaTable(str(out / "free" / "transactions")).to_pyarrow_table().num_rows == 2001


@pytest.mark.slow
def test_ctrl_c_ends_in_a_few_lines_and_running_again_goes_on(lake: PlayLake) -> None:
    """Sent to the process group, as a terminal does: spark-submit's JVM and the Python beside it."""
    next_day = "2026-01-06"
    lake.land(DAY, "transaction_id | purchase_amount\na | 1\nb | 2")
    lake.land(next_day, f"transaction_id | purchase_amount | timestamp\na | 9 | {DAY}T11:00:00Z\nc | 3 | {next_day}")
    days = ("--dataset", "transactions", "--ds", f"{DAY}..{next_day}")
    driver = subprocess.Popen(
        command(lake, "backfill", *days), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        start_new_session=True, env={**os.environ, **QUICK},
    )  # fmt: skip
    assert driver.stderr
    assert any("1 of 2: done" in said for said in driver.stderr), "the first day is done"
    os.killpg(driver.pid, signal.SIGINT)
    out, said = driver.communicate(timeout=60)
    line = line_of(out)
    assert (driver.returncode, line["outcome"], line["days"]) == (130, "interrupted", {DAY: "done"})
    assert len(said.splitlines()) <= 3, said
    assert said.rstrip().endswith(line["message"])
    code, line, said = submit(lake, "backfill", *days)
    assert (code, line["days"]) == (0, {DAY: "nothing", next_day: "done"}), said
    assert_rows(lake.feature_rows(next_day), "user_id | purchases_7d | spend_7d\n1 | 3 | 14.00")
