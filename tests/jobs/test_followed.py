"""Files, and sources of one's own, can be followed: what comes within a period is taken before it is over."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from common.errors import SourceMissingError, UsageError
from common.online.connect import open_store
from common.orchestration.chain import run_chain
from common.orchestration.changed_periods import ChangedPeriods
from common.orchestration.job import ChainStep, Line
from common.orchestration.open_periods import OpenPeriods
from common.sources.rows import RowSource
from common.sources.source import Period, SourceListing, SourceUnit
from jobs.backfill import CHAIN
from jobs.ingest import INGEST
from jobs.stream import content, is_over, stream
from tests.conftest import ROOT
from tests.support.landing import PURCHASE
from tests.support.play_lake import PlayLake

DAY, NEXT = "2026-01-05", "2026-01-06"
TODAY = str(datetime.now(UTC).date())
USUAL = {"available_now": True, "every": 1.0, "most_records": 100, "online": False}


@dataclass(frozen=True, kw_only=True)
class Till(RowSource):
    """The rows that lie in a JSON file by now."""

    file: str
    has_fingerprint: bool = True

    @property
    def can_be_followed(self) -> bool:
        return True

    def fingerprint(self, period: Period) -> str:
        return Path(self.file).read_text() if self.has_fingerprint else super().fingerprint(period)

    def holds(self, period: Period) -> SourceListing:
        rows = self.rows(period)
        return SourceListing("the till", (SourceUnit("sales", len(rows)),) if rows else ())

    def read(self, spark: Any, period: Period, listing: SourceListing) -> Any:
        names = ", ".join(f"{name} string" for name in PURCHASE)
        return spark.createDataFrame([[*row.values()] for row in self.rows(period)], names)

    def rows(self, period: Period) -> list[dict[str, str]]:
        return [row for row in json.loads(Path(self.file).read_text()) if row["timestamp"].startswith(str(period.ds))]

    def sell(self, *names: str) -> None:
        sold = [{**PURCHASE, "transaction_id": name, "timestamp": f"{TODAY}T00:00:00Z"} for name in names]
        Path(self.file).write_text(json.dumps(sold))


def streamed(lake: PlayLake, ds: str = DAY, **options: Any) -> Line:
    return stream([lake.plan("stream", ds, code="the same", **{**USUAL, **options})])


def batch(lake: PlayLake, ds: str) -> str:
    [line] = run_chain(CHAIN, [lake.plan("backfill", ds, code="the same")])
    return str(line["outcome"])


def rows(lake: PlayLake) -> dict[str, list[str]]:
    """Every row of the data tables; verdicts and statistics also say when they were made."""
    kept = ("raw/", "quarantine/", "processed/", "superseded/", "partials/", "features/", "published/")
    return {path: found for path, found in lake.content().items() if path.startswith(kept)}


def bought(lake: PlayLake, ds: str) -> list[int]:
    return sorted(lake.published.at().pandas(ds=ds)["purchases_7d"].tolist())


@pytest.mark.slow
def test_new_files_of_a_day_end_in_the_tables_of_one_batch(lake: PlayLake) -> None:
    lake, other = (each.with_contract(refused_share=1.0) for each in (lake, PlayLake(lake.root / "other")))
    files = [
        (DAY, "transaction_id\nt1", "1.csv"),
        (DAY, "transaction_id | age\nt2 | 30\nt3 | -1", "2.csv"),
        (NEXT, f"transaction_id | timestamp\nt4 | {DAY}T01:00:00Z\nt5 | {NEXT}T01:00:00Z", "1.csv"),
    ]
    for file in files:
        lake.land(*file)
        other.land(*file)
        assert streamed(lake)["outcome"] == "done"
    whole = lake.state()
    assert streamed(lake)["outcome"] == "nothing"
    assert [batch(lake, ds) for ds in (DAY, NEXT)] == ["nothing", "nothing"]
    assert lake.state() == whole
    for ds in (DAY, NEXT):
        batch(other, ds)
    assert rows(lake) == rows(other)


def test_each_look_takes_what_has_come_since(lake: PlayLake) -> None:
    """Also a file that is sent again."""
    ingest = [ChainStep(INGEST)]
    looking, run = ChangedPeriods(OpenPeriods(ingest, ingest, is_over), content), lake.plan("stream", DAY)
    for file, name, found in (("1.csv", "a", "a"), ("2.csv", "b", "ab"), ("1.csv", "c", "bc")):
        lake.land(DAY, f"transaction_id\n{name}", file)
        looking.look(run, f"{file} {name}")
        assert sorted(row["transaction_id"] for row in lake.rows("raw")) == [*found]


def test_unknown_columns_are_told_while_a_day_is_open(lake: PlayLake, caplog: pytest.LogCaptureFixture) -> None:
    ingest = [ChainStep(INGEST)]
    looking, run = ChangedPeriods(OpenPeriods(ingest, ingest, is_over), content), lake.plan("stream", DAY)
    lake.land_bytes(DAY, json.dumps({**PURCHASE, "colour": "red"}).encode(), "1.jsonl")
    looking.look(run, "1")
    assert "1.jsonl has columns that the contract doesn't know, left out: ['colour']" in caplog.text


def test_each_look_reaches_the_online_store(lake: PlayLake) -> None:
    for number in (1, 2):
        lake.land(DAY, f"transaction_id | user_id\nt{number} | 7", f"{number}.csv")
        assert streamed(lake, online=True)["outcome"] == "done"
        store = open_store(lake.online)
        served, facts = store.get("transactions_v1", 7), store.facts("transactions_v1")
        assert (served["purchases_7d"], facts["days"][-1]) == (number, DAY)
        assert facts["version"] == lake.published.versions()[0].version


def test_a_source_of_ones_own_is_read_while_its_day_is_open(lake: PlayLake) -> None:
    till = Till(file=str(lake.root / "till.json"))
    ours = lake.with_contract(source=till)
    till.sell("t1")
    with pytest.raises(SourceMissingError, match="is not over"):
        ours.ingest(TODAY)
    assert streamed(ours, TODAY)["outcome"] == "done"
    till.sell("t1", "t2")
    streamed(ours, TODAY)
    assert (bought(lake, TODAY), streamed(ours, TODAY)["outcome"]) == ([2], "nothing")


def test_what_has_no_fingerprint_can_not_be_followed(lake: PlayLake) -> None:
    till = Till(file=str(lake.root / "till.json"), has_fingerprint=False)
    till.sell("t1")
    with pytest.raises(UsageError, match="has no fingerprint: nothing says that more has come"):
        streamed(lake.with_contract(source=till), TODAY)
    assert lake.state() == {}


@pytest.mark.slow
def test_a_process_that_stays_takes_files_as_they_come(lake: PlayLake) -> None:
    lake.land(DAY, "transaction_id\nt1", "1.csv")
    places = ["--lake", str(lake.lake_folder), "--landing", str(lake.landing)]
    words = [sys.executable, "jobs/stream.py", "--dataset", "transactions", "--ds", DAY, "--every", "0.2", *places]
    with subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            until_bought(lake, 1)
            lake.land(DAY, "transaction_id\nt2", "2.csv")
            until_bought(lake, 2)
        finally:
            process.send_signal(signal.SIGTERM)
        output, _ = process.communicate(timeout=60)
    assert (process.returncode, json.loads(output)["outcome"]) == (143, "interrupted")


def until_bought(lake: PlayLake, count: int) -> None:
    deadline = time.monotonic() + 180
    while not (lake.lake_folder / "published/transactions/v1/_delta_log").exists() or bought(lake, DAY) != [count]:
        assert time.monotonic() < deadline
        time.sleep(0.2)
