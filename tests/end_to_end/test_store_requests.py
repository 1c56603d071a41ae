"""What a small day asks of an object store, and that it does not ask more after years."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import pytest
from deltalake import DeltaTable

from common.errors import UsageError
from common.runtime.object_store import require_jars
from jobs.datasets.transactions import sample
from tests.end_to_end.test_object_store import Place
from tests.support.s3_server import s3_server

pytestmark = pytest.mark.slow
NAME = "transactions"
FIRST, DAY = date(2022, 1, 3), date(2026, 1, 5)
GATES = ["validate-raw", "validate-processed", "validate-features"]
# Which jobs commit to a table on each day.
COMMITS = {
    "raw": ["ingest"],
    "quarantine": ["ingest", "clean"],
    "processed": ["clean"],
    "superseded": ["clean"],
    "partials": ["features"],
    "features": ["features"],
    "verdicts": GATES,
    "profiles": GATES,
    "published": ["publish"],
}


def test_a_day_asks_no_more_after_a_thousand_days(tmp_path: Path) -> None:
    try:
        require_jars()
    except UsageError as error:
        pytest.skip(str(error))
    with s3_server(tmp_path, "lake", "landing") as server:
        place = Place(server.folder, "s3a://lake/first", "s3a://landing", server.environment)
        for day in (FIRST, DAY):
            words = ["--start", str(day), "--days", "1", "--rows", "200", "--out", str(place.files / "landing")]
            sample.main(NAME, sample.COLUMNS, sample.generate, words)
        place.job("backfill", dataset=NAME, ds=str(FIRST))
        asked = {}
        for days in (31, 200, 1_000):
            lake = server.folder / "lake" / f"after{days}"
            shutil.copytree(server.folder / "lake" / "first", lake)
            grow(lake, days)
            before = len(server.requests())
            grown = replace(place, lake=f"s3a://lake/after{days}")
            grown.job("backfill", dataset=NAME, ds=str(DAY))
            asked[days] = server.counts(before)
            print(f"a small day after {days:,} days: {in_words(asked[days])}")
    assert asked[200].total() <= asked[31].total() * 1.02
    assert asked[1_000].total() <= asked[31].total() * 1.02
    assert asked[1_000].total() < 1_800


def in_words(asked: Counter[str]) -> str:
    kinds = ", ".join(f"{count} {kind}" for kind, count in asked.most_common())
    return f"{asked.total()} requests ({kinds})"


def grow(lake: Path, days: int) -> None:
    """Adds what the logs hold after so many days: commits that say what they did, and a checkpoint."""
    for log in lake.rglob("_delta_log"):
        jobs, version = COMMITS[log.relative_to(lake).parts[0]], DeltaTable(str(log.parent)).version()
        for number in range(1, days + 1):
            day = FIRST + timedelta(days=number)
            moment = int(datetime.combine(day + timedelta(days=1), time(1), UTC).timestamp() * 1000)
            for job in jobs:
                version += 1
                said = {"job": job, "dataset": NAME, "ds": str(day), "run_id": f"{job} of {day}", "code": "earlier"}
                said |= {"touched": [], "counts": {"rows_in": 60}}
                info = {"timestamp": moment, "operation": "WRITE", "userMetadata": json.dumps(said)}
                (log / f"{version:020}.json").write_text(json.dumps({"commitInfo": info}) + "\n")
        DeltaTable(str(log.parent)).create_checkpoint()
