"""A stream that is killed before any of its writes, or meets a daily job, leaves the tables of one batch."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from common.orchestration.chain import run_chain
from jobs.backfill import CHAIN
from jobs.stream import stream
from tests.conftest import ROOT
from tests.model.world import CONTRACT, write_sales
from tests.support.datasets import datasets_in, spoil
from tests.support.followed import rows
from tests.support.kafka import Broker, broker
from tests.support.kill_points import kill_points
from tests.support.play_lake import PlayLake

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]

DAY, NEXT = "2026-01-05", "2026-01-06"
# As if the days were not over yet.
SOURCE = 'source=Kafka(cluster="shop", topic="sales", settle_minutes=10_000_000)'
OPEN = CONTRACT.replace("source=Files(empty_day_wipes=True)", SOURCE).replace(
    "Features, Files\n", "Features\nfrom common.sources.kafka.topic import Kafka\n"
)
USUAL = {"available_now": True, "every": 1.0, "most_records": 100, "online": False}
# Before these, all that is between them is as it was; test_kill_matrix.py kills each step at its other files, too.
DECIDING = re.compile(r"before a commit of|/\d{6}\.json|streams/")
# The writes before which a process is really killed, among all those of the micro-batch.
REALLY_KILLED = (1, 6, 14)


@pytest.fixture(scope="module")
def server(spark: object) -> Iterator[Broker]:
    with broker(spark) as started:
        yield started


@pytest.fixture
def shop(server: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Broker]:
    monkeypatch.setenv("SHOP_KAFKA", server.address)
    monkeypatch.setenv("DATASETS", str(tmp_path / "datasets"))
    server.topic("sales", 2)
    write_sales(tmp_path / "datasets", OPEN)
    with datasets_in(tmp_path / "datasets"):
        yield server


def sold(shop: Broker, key: str, at: str, amount: int = 1, partition: int = 0) -> None:
    shop.send("sales", json.dumps({"key": key, "user": 1, "amount": amount, "time": at}), at, partition)


def first_records(shop: Broker) -> None:
    sold(shop, "a", f"{DAY}T10:00:00Z")
    sold(shop, "b", f"{DAY}T11:00:00Z", 2, 1)


def more_records(shop: Broker) -> None:
    """A correction, one that is refused, and one of the next day."""
    sold(shop, "a", f"{DAY}T12:00:00Z", 5)
    sold(shop, "x", f"{DAY}T13:00:00Z", -1, 1)
    sold(shop, "c", f"{NEXT}T01:00:00Z", 3)


def streamed(lake: PlayLake) -> None:
    stream([lake.plan("stream", DAY, **USUAL)])


def batch(lake: PlayLake) -> dict[str, list[str]]:
    """What the daily job leaves of both days."""
    over = lake.with_contract(source=type(lake.contract.source)(cluster="shop", topic="sales"))
    run_chain(CHAIN, [over.plan("backfill", ds) for ds in (DAY, NEXT)])
    return rows(lake)


def command(lake: PlayLake, program: list[str], *more: str) -> subprocess.CompletedProcess[str]:
    places = ["--lake", str(lake.lake_folder), "--landing", str(lake.landing)]
    days = [] if any(word.startswith("--ds=") for word in more) else ["--ds", DAY]
    words = [sys.executable, *program, "--dataset", "sales", *days, *places, *more]
    return subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False, timeout=300)


def test_a_stream_killed_anywhere_ends_as_one_batch(
    shop: Broker, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lake, folder = PlayLake(tmp_path / "quiet", "sales"), tmp_path / "killed"
    first_records(shop)
    streamed(lake)
    more_records(shop)
    shutil.copytree(lake.root, folder / "before")
    points = kill_points(lake.root, folder, lambda: streamed(lake))
    points = [point for point in points if DECIDING.search(f"before {point.before}")]
    wanted = batch(PlayLake(tmp_path / "batch", "sales"))
    assert rows(lake) == wanted
    table = {}
    for number, point in enumerate(points, 1):
        killed = PlayLake(point.root, "sales")
        streamed(killed)
        table[f"{number:2} before {point.before}"] = rows(killed) == wanted
        with capsys.disabled():
            print(f"\n{'same' if rows(killed) == wanted else 'DIFFERS'} {number:2} before {point.before}", end="")
    assert [where for where, same in table.items() if not same] == []


def test_a_process_killed_in_a_batch_is_started_again(shop: Broker, tmp_path: Path) -> None:
    first_records(shop)
    streamed(PlayLake(tmp_path / "before", "sales"))
    more_records(shop)
    wanted = batch(PlayLake(tmp_path / "batch", "sales"))
    for number in REALLY_KILLED:
        lake = PlayLake(tmp_path / str(number), "sales")
        shutil.copytree(tmp_path / "before", lake.root)
        done = command(lake, ["-m", "tests.support.killed", str(number), "stream"], "--available-now")
        assert done.returncode == -9, done.stderr
        again = command(lake, ["jobs/stream.py"], "--available-now")
        assert again.returncode == 0, again.stderr
        assert rows(lake) == wanted, f"killed before its write {number}"


def test_a_stream_and_a_daily_job_at_once_both_end_well(shop: Broker, tmp_path: Path) -> None:
    first_records(shop)
    more_records(shop)
    wanted = batch(PlayLake(tmp_path / "batch", "sales"))
    lake = PlayLake(tmp_path / "both", "sales")
    spoil(tmp_path / "datasets/sales/contract.py", ", settle_minutes=10_000_000", "")
    programs = [(["jobs/stream.py"], "--available-now"), (["jobs/backfill.py"], f"--ds={DAY}..{NEXT}")]
    with ThreadPoolExecutor(len(programs)) as threads:
        both = [*threads.map(lambda words: command(lake, *words), programs)]
    assert [done.returncode for done in both] == [0, 0], [done.stderr[-2000:] for done in both]
    assert rows(lake) == wanted
