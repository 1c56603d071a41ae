"""A lake with every kind of table, and a search for a person in it that shares no code with the erasure."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from common.delivery.deliver import deliver
from common.lake import pins
from jobs.erase import erase
from jobs.publish import ONLINE
from tests.support.deliveries import predict
from tests.support.play_lake import PlayLake

FIRST, SECOND = "2026-01-05", "2026-01-06"
USER, CUSTOMER = "4210007", "c000007"
PREDICTED = f"""
customer_id | example_time         | churn | chance
{CUSTOMER}     | 2026-01-05T00:00:00Z | true  | 0.75
c000008     | 2026-01-05T00:00:00Z | false | 0.25
"""


def purchases(root: Path) -> PlayLake:
    """Of a user who bought, was corrected, came late and was refused twice; published, corrected, and published again."""
    lake = PlayLake(root)
    lake.land(
        FIRST,
        f"""
        transaction_id | user_id   | purchase_amount | category
        t1             | {USER}    | 10.00           | food
        t2             | 5550001   | 20.00           | home
        t3             | 00{USER}  | -1.00           | food
        t4             | {USER}.0  | 5.00            | food
        t8             | 9990002   | 7.00            | food
        """,
    )
    with (lake.folder(FIRST) / "part.csv").open("a") as file:
        file.write(f"t5,{USER},31\n")
    _published(lake, FIRST)
    lake.land(
        SECOND,
        f"""
        transaction_id | user_id  | purchase_amount | timestamp            | category
        t1             | {USER}   | 11.00           | 2026-01-05T12:00:00Z | food
        t6             |  {USER}  | 12.00           | 2026-01-04T10:00:00Z | sports
        t7             | 5550001  | 3.00            | 2026-01-06T10:00:00Z | home
        """,
    )
    _published(lake, SECOND)
    lake.features(FIRST, full_refresh=True)
    pins.pin(str(lake.lake_folder), "model_1", "published/transactions/v1", 0)
    pins.pin(
        str(lake.lake_folder), "refused", "quarantine/transactions", lake.table("quarantine/transactions").version()
    )
    _put_online(lake)
    return lake


def _put_online(lake: PlayLake) -> None:
    """All of it stands in one file, of which others then have copies."""
    lake.run(ONLINE, SECOND)
    with closing(sqlite3.connect(lake.root / "online.db")) as online:
        online.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _published(lake: PlayLake, ds: str) -> None:
    lake.ingest(ds)
    lake.clean(ds)
    lake.features(ds)
    lake.publish(ds)


def customers(root: Path) -> PlayLake:
    """A customer of a training set of two published days, whom a model has scored, and who is online."""
    lake = PlayLake(root, "churn")
    predict(lake.lake_folder, PREDICTED, 1)
    _put_online(lake)
    return lake


def deliver_all(lake: PlayLake) -> None:
    for target in ("files", "sheets"):
        for ds in (FIRST, SECOND):
            deliver(lake.plan("deliver", ds, to=target))
        deliver(lake.plan("deliver", SECOND, to=target, predictions="churn_baseline"))


def run_erase(lake: PlayLake, entity: str, apply: bool = True) -> dict[str, Any]:
    return erase([lake.plan("erase", SECOND, entity=entity, apply=apply, yes=apply)])


def traces(root: Path, text: str) -> list[str]:
    """Every file below the folder, but the landing files, that has the text in its name, its bytes or its decoded values."""
    needle, found = text.encode(), []
    for path in sorted(root.rglob("*")):
        if "landing" in path.relative_to(root).parts or not path.is_file():
            continue
        looked_at = [path.name.encode(), path.read_bytes()]
        if path.suffix == ".parquet":
            file = pq.ParquetFile(path)
            looked_at += [str(file.read().to_pylist()).encode(), str(file.metadata.to_dict()).encode()]
        if any(needle in each for each in looked_at):
            found.append(str(path.relative_to(root)))
    return found


def others(lake: PlayLake, column: str, entity: object) -> dict[str, list[str]]:
    """Every other row of every table in every version."""
    held = {}
    for path, (newest, _) in lake.state().items():
        if path.split("/")[1] != lake.dataset:
            continue
        for version in range(newest + 1):
            table = lake.table(path)
            table.load_as_version(version)
            rows = [row for row in table.to_pyarrow_table().to_pylist() if row.get(column) != entity]
            held[f"{path} {version}"] = sorted(str(row) for row in rows if str(entity) not in str(row))
    return held
