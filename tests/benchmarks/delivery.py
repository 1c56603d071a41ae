"""Rows a second of a delivery beside a plain COPY of the same rows: `python -m tests.benchmarks.delivery`."""

from __future__ import annotations

import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from pathlib import Path

import psycopg
import pyarrow as pa
from pyarrow import csv

from tests.support.deliveries import TABLE, deliver_day
from tests.support.published_tables import SCHEMA, commit
from tests.support.servers import database

ROWS, REPEATS, DAY = 500_000, 5, "2026-01-01"
COLUMNS = (
    "ds date, user_id bigint, spend numeric(22,2), mean double precision, favourite text, PRIMARY KEY (ds, user_id)"
)


def day() -> pa.Table:

    numbers = range(ROWS)
    columns = [
        [date.fromisoformat(DAY)] * ROWS,
        numbers,
        [Decimal(number) / 100 for number in numbers],
        [number / 7 for number in numbers],
        [("food", "travel", None)[number % 3] for number in numbers],
    ]
    return pa.table(
        [pa.array(list(values), field.type) for values, field in zip(columns, SCHEMA, strict=True)], schema=SCHEMA
    )


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def main(lake: Path, address: str) -> None:
    os.environ |= {"WAREHOUSE_DATABASE": address, "DELIVERIES": json.dumps({"warehouse": {"kind": "postgresql"}})}
    rows = day()
    publish_large(lake, rows)
    sink = pa.BufferOutputStream()
    csv.write_csv(rows, sink, csv.WriteOptions(include_header=False))
    plain, delivered, refreshed = [], [], []
    with psycopg.connect(address, autocommit=True) as connection:

        def copy() -> None:
            with connection.cursor().copy("COPY plain FROM STDIN (FORMAT csv)") as copying:
                copying.write(sink.getvalue())

        for _ in range(REPEATS):
            connection.execute("DROP TABLE IF EXISTS plain, churn_v1, delivered_days")
            connection.execute(f"CREATE TABLE plain ({COLUMNS})")  # type: ignore[call-overload]
            plain.append(seconds(copy))
            delivered.append(seconds(lambda: deliver_day(lake, DAY, "warehouse")))
            refreshed.append(seconds(lambda: deliver_day(lake, DAY, "warehouse", full_refresh=True)))
    fast, ours = statistics.median(plain), statistics.median(delivered)
    print(f"{ROWS:,} rows: COPY {ROWS / fast:,.0f} rows/s, delivery {ROWS / ours:,.0f} rows/s, ratio {ours / fast:.2f}")
    compared = statistics.median(refreshed)
    print(f"compared with a day that is there: {ROWS / compared:,.0f} rows/s, ratio {compared / fast:.2f}")
    print(f"the same day again: {seconds(lambda: deliver_day(lake, DAY, 'warehouse')):.2f} s")


def publish_large(lake: Path, rows: pa.Table) -> None:
    facts = {DAY: {"rows": rows.num_rows, "hash": "large"}}
    books = {"job": "publish", "ds": DAY, "entity": "user_id", "days": facts}
    commit(f"{lake}/published/{TABLE}", rows, [DAY], books)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder, database("postgresql") as server:
        main(Path(folder), server.address)
