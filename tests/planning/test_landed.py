"""A large day in landing is read again only if something of it may have changed since it was ingested."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from common.lake.files import write_json
from common.orchestration import stages
from common.orchestration.whole_logs import WholeLogs
from common.planning.landed import LARGE, DayInLanding
from common.sources.files.landing import Landing
from tests.support.long_lake import LongLake

DS = date(2026, 1, 5)
LARGE_DAY = "id\n" + "7\n" * LARGE


@pytest.fixture
def lake(tmp_path: Path) -> LongLake:
    lake = LongLake(tmp_path, "transactions")
    lake.write([DS])
    return lake


def record(lake: LongLake, ended: datetime, run_id: str = f"ingest of {DS}") -> None:
    line = {"run_id": run_id, "seconds": 2.0, "outcome": "done"}
    write_json(
        f"{lake.lake}/runs/transactions/ingest/{DS}.json", {"line": line, "at": ended.isoformat(), "failure": None}
    )


def is_read(lake: LongLake) -> bool:
    """Whether the day's own fingerprint is asked for: the known one is that of another content."""
    run = lake.run(DS)
    known = WholeLogs(run).state(stages.INGEST, DS)
    assert known is not None
    found = DayInLanding(replace(run, job="plan"), known).fingerprint
    assert found in (known.facts["source"], Landing(run.contract, lake.landing, DS).fingerprint())
    return found != known.facts["source"]


def test_a_large_day_that_nothing_has_touched_is_not_read(lake: LongLake) -> None:
    lake.land(DS, LARGE_DAY)
    record(lake, datetime.now(UTC) + timedelta(minutes=5))
    assert not is_read(lake)


def test_a_large_day_that_was_touched_is_read(lake: LongLake) -> None:
    """Whatever the times say that anybody may set."""
    lake.land(DS, LARGE_DAY)
    folder = Path(lake.landing) / "transactions" / f"ds={DS}"
    for path in (folder / "part.csv", folder):
        os.utime(path, (0, 0))
    record(lake, datetime.now(UTC))
    assert is_read(lake)


def test_a_small_day_is_read_whatever_its_times_say(lake: LongLake) -> None:
    lake.land(DS, "id\n7\n")
    record(lake, datetime.now(UTC) + timedelta(minutes=5))
    assert is_read(lake)


def test_without_the_record_of_its_ingest_a_day_is_read(lake: LongLake) -> None:
    lake.land(DS, LARGE_DAY)
    assert is_read(lake)
    record(lake, datetime.now(UTC) + timedelta(minutes=5), run_id="another")
    assert is_read(lake)
