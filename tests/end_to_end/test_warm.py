"""Jobs on a warm Spark write the same tables without a JVM of their own, and say what is wrong with the server."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from common.orchestration.chain import run_chain
from common.runtime import plan_size
from jobs.backfill import CHAIN
from tests.support.datasets import datasets_in
from tests.support.play_lake import PlayLake
from tests.support.processes import listening, words
from tests.support.tables_as_text import assert_rows
from tests.support.visits import write_visits
from tests.support.warm_spark import PYTHON, ROOT, WarmSpark, warm_spark

DAY = "2026-01-05"
DATASET = ("--dataset", "transactions", "--ds", DAY)


@pytest.fixture(scope="module")
def warm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WarmSpark]:
    with warm_spark(tmp_path_factory.mktemp("warm") / "server") as server:
        yield server


@pytest.fixture
def lake(tmp_path: Path) -> PlayLake:
    return landed(tmp_path, rows=60)


def landed(folder: Path, rows: int) -> PlayLake:
    """A sample day with late rows and refused ones. Needs no Spark session."""
    lake = PlayLake(folder)
    sample = ["--start", DAY, "--days", "1", "--rows", str(rows), "--out", lake.landing]
    subprocess.run([PYTHON, "-m", "jobs.datasets.transactions.sample", *sample], cwd=ROOT, check=True, timeout=60)
    return lake


def places(lake: PlayLake) -> list[str]:
    return ["--lake", str(lake.root / "lake"), "--landing", str(lake.landing)]


@pytest.fixture(scope="module")
def visits(
    warm: WarmSpark, tmp_path_factory: pytest.TempPathFactory
) -> tuple[PlayLake, tuple[int, dict[str, Any], str]]:
    """Two days of a third dataset, and what their run said where Java can't be found."""
    lake = PlayLake(tmp_path_factory.mktemp("visits"), "visits")
    write_visits(lake.root / "more")
    lake.land_bytes("2026-01-01", b"visit_id,visitor,day,minutes\n1,ann,01.01.2026,5\n2,bob,2026-01-01,NaN\n")
    later = b"3,ann,2026-01-02,9.5\n4,bob,01.01.2026,1\n1,ann,2026-01-01,6\n"
    lake.land_bytes("2026-01-02", b"visit_id,visitor,day,minutes\n" + later)
    return lake, backfill(warm, lake, "2026-01-01..2026-01-03")


def backfill(warm: WarmSpark, lake: PlayLake, days: str) -> tuple[int, dict[str, Any], str]:
    known = {"DATASETS": str(lake.root / "more")}
    return warm.submit("backfill", "--dataset", lake.dataset, "--ds", days, *places(lake), **known)


def test_a_third_dataset_is_one_new_folder(visits: tuple[PlayLake, tuple[int, dict[str, Any], str]]) -> None:
    lake, (code, line, said) = visits
    assert (code, line.get("missing")) == (4, ["2026-01-03"]), (line, said)
    assert line["days"] == {"2026-01-01": "done", "2026-01-02": "done", "2026-01-03": "missing"}
    assert_rows(lake.rows("quarantine"), "ds | reasons\n2026-01-01 | ['minutes:not_double']")
    assert_rows(lake.feature_rows("2026-01-02"), "visitor | visits_3d | longest_3d\nann | 2 | 9.5\nbob | 1 | 1.0")


def test_a_warm_spark_writes_the_same_tables(
    visits: tuple[PlayLake, tuple[int, dict[str, Any], str]], warm: WarmSpark, spark: object, tmp_path: Path
) -> None:
    """With a late row, a refused one and a correction; then once more, which changes nothing."""
    lake, _ = visits
    cold = PlayLake(tmp_path, lake.dataset)
    (cold.root / "landing").symlink_to(lake.landing)
    with datasets_in(lake.root / "more"):
        run_chain(CHAIN, [cold.plan("backfill", day) for day in ("2026-01-01", "2026-01-02")])
    assert lake.content() == cold.content()
    assert len(lake.content()) >= 8
    before = lake.state()
    code, line, said = backfill(warm, lake, "2026-01-01..2026-01-02")
    assert (code, line["outcome"], lake.state()) == (0, "nothing", before), said


def test_workers_read_a_large_day(warm: WarmSpark, tmp_path: Path) -> None:
    """A small one is read by the job itself."""
    lake = landed(tmp_path, rows=15_000)
    code, line, said = warm.submit("ingest", *DATASET, *places(lake))
    assert code == 0, said
    size = sum(file.stat().st_size for file in lake.landing.rglob("*") if file.is_file())
    assert size > plan_size.FEW_BYTES
    assert line["counts"]["landed"] >= 15_000


def test_a_wrong_token_touches_nothing_and_says_what_to_do(warm: WarmSpark, lake: PlayLake) -> None:
    wrong = {"SPARK_CONNECT_AUTHENTICATE_TOKEN": "hunter2"}
    code, line, said = warm.submit("ingest", *DATASET, *places(lake), **wrong)
    assert (code, line["error"]) == (2, "UsageError"), said
    assert "refuses the token; expected the one of its start" in line["message"]
    assert "hunter2" not in said
    assert lake.state() == {}


def test_an_address_that_is_none_is_refused_unshown(warm: WarmSpark, lake: PlayLake) -> None:
    code, line, said = warm.submit("ingest", *DATASET, *places(lake), SPARK_REMOTE="localhost/;token=hunter2")
    assert (code, line["error"]) == (2, "UsageError"), said
    assert "SPARK_REMOTE is not the address of a Spark Connect server, such as sc://localhost" in line["message"]
    assert "hunter2" not in said


def test_the_token_is_in_two_private_files_and_nowhere_else(warm: WarmSpark, lake: PlayLake) -> None:
    code, _, said = warm.submit("ingest", *DATASET, *places(lake))
    assert code == 0, said
    environment = Path(f"/proc/{warm.pid}/environ").read_text(errors="replace")
    assert warm.token not in said + words(warm.pid) + environment
    files = [path for path in warm.folder.rglob("*") if path.is_file()]
    keeping = {path for path in files if warm.token in path.read_text(errors="replace")}
    assert keeping == {warm.folder / "token", warm.folder / "daemons.conf"}
    assert {oct(path.stat().st_mode & 0o777) for path in keeping} == {"0o600"}
    assert listening(warm.pid) == {"0100007F"}


@pytest.mark.slow
def test_a_server_that_dies_is_named_and_a_new_one_goes_on(lake: PlayLake, tmp_path: Path) -> None:
    with warm_spark(tmp_path / "server") as server:
        assert server.submit("ingest", *DATASET, *places(lake))[0] == 0
        known = {**server.environment, "SPARK_REMOTE": server.address}
        command = [ROOT / "conf/spark/spark-submit", ROOT / "jobs/backfill.py", *DATASET, *places(lake)]
        driver = subprocess.Popen(command, env=known, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        processed = lake.root / "lake/processed/transactions/_delta_log"
        while not processed.exists() and driver.poll() is None:
            os.sched_yield()
        server.kill()
        out, said = driver.communicate(timeout=120)
        assert driver.returncode == 1, said
        assert "the Spark Connect server stopped answering" in out
        assert "Start it with `make warm`" in out
        server.run("up")
        code, _, said = server.submit("backfill", *DATASET, *places(lake))
        assert code == 0, said


@pytest.mark.slow
def test_what_is_promised_of_tables_holds_on_a_server(warm: WarmSpark) -> None:
    """The same tests once more, in a session of the server: conflicts, retries, foreign data in a transform."""
    tests = ["tests/clean/test_transforms.py", "tests/lake/test_merge.py", "-k", "not exclude_each_other"]
    known = {**warm.environment, "SPARK_REMOTE": warm.address}
    done = subprocess.run(
        [PYTHON, "-m", "pytest", *tests], cwd=ROOT, env=known, capture_output=True, text=True, check=False, timeout=900
    )
    assert done.returncode == 0, done.stdout[-3000:]


def test_starting_twice_is_one_server_and_ending_twice_is_quiet(warm: WarmSpark) -> None:
    """The last test of this server."""
    pid = warm.pid
    code, said = warm.run("up")
    assert (code, "running already" in said, warm.pid) == (0, True, pid)
    assert f"SPARK_REMOTE={warm.address}" in said
    assert warm.run("down") == (0, "Ended: the warm Spark.\n")
    assert not words(pid)
    assert warm.run("down") == (0, "")
    with subprocess.Popen(["sleep", "60"]) as other:
        (warm.folder / "connect.pid").write_text(str(other.pid))
        assert warm.run("down") == (0, "")
        alive = other.poll() is None
        other.kill()
    assert alive, "a process with a dead server's id is left alone"
