"""A small day's files are read without a worker of Spark, into the same rows."""

import gzip
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from common.runtime import plan_size
from common.sources.files.landing import Landing
from tests.support.landing import PURCHASE
from tests.support.play_lake import PlayLake
from tests.support.tables_as_text import assert_rows

DAY = "2026-01-05"
HEADER = ",".join(PURCHASE)


def line(**changed: str) -> str:
    return ",".join({**PURCHASE, **changed}.values())


@pytest.mark.parametrize(("few_bytes", "read_by"), [(plan_size.FEW_BYTES, "LocalRelation"), (100, "MapInArrow")])
def test_a_worker_of_spark_reads_large_days_alone(
    lake: PlayLake, monkeypatch: pytest.MonkeyPatch, few_bytes: int, read_by: str
) -> None:
    monkeypatch.setattr(plan_size, "FEW_BYTES", few_bytes)
    lake.land(DAY, "transaction_id\na\nb")
    run = lake.plan("ingest", DAY)
    source = Landing(run.contract, run.settings.landing, run.ds)
    rows = source.read(run.spark, source.holds())
    assert read_by in rows._jdf.queryExecution().logical().toString()
    found = [row.asDict() for row in rows.collect() if row["problem"] is None]
    assert_rows(found, "file | transaction_id | lines\npart.csv | a | 1\npart.csv | b | 1")


@pytest.mark.parametrize("few_bytes", [plan_size.FEW_BYTES, 0])
def test_both_ways_read_every_format_alike(lake: PlayLake, monkeypatch: pytest.MonkeyPatch, few_bytes: int) -> None:
    monkeypatch.setattr(plan_size, "FEW_BYTES", few_bytes)
    two_lines, cut = line(transaction_id='"b\nb"'), "c,1"
    lake.land_bytes(DAY, f"{HEADER}\n{line(transaction_id='a')}\n{line(transaction_id='a')}\n".encode(), "1.csv")
    lake.land_bytes(DAY, gzip.compress(f"{HEADER}\n{two_lines}\n{cut}\n".encode()), "2.csv.gz")
    record = json.dumps({**PURCHASE, "transaction_id": "d", "user_id": 7, "colour": "red"})
    lake.land_bytes(DAY, record.encode(), "3.jsonl")
    table = pa.table({**{name: [value] for name, value in PURCHASE.items()}, "transaction_id": ["e"], "user_id": [8]})
    pq.write_table(table, lake.folder(DAY) / "4.parquet")
    found = lake.ingest(DAY)
    assert found["counts"] == {"landed": 6, "accepted": 5, "quarantined": 1, "files": 4, "refused_files": 0}
    assert found["drift"] == {"3.jsonl": ["colour"]}
    raw = [{**row, "transaction_id": row["transaction_id"].replace("\n", "/")} for row in lake.rows("raw")]
    assert_rows(
        raw,
        """
        file      | transaction_id | user_id | copies
        1.csv     | a              | 1       | 2
        2.csv.gz  | b/b            | 1       | 1
        3.jsonl   | d              | 7       | 1
        4.parquet | e              | 8       | 1
        """,
    )
    assert_rows(lake.rows("quarantine"), "file | record | copies\n2.csv.gz | c,1 | 1")
