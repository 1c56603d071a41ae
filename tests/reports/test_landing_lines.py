"""The line of a refused record in its landing file."""

import gzip
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from common.contracts import datasets
from common.reports.landing_lines import find_lines

CONTRACT = datasets.load("transactions").contract
DAY = "2026-01-05"
SENT = json.dumps({"transaction_id": "t2", "age": "200", "category": None})
TORN = "t3,17"
CSV = f'transaction_id,category,age\nt1,"two\nlines",30\nt2,,200\n{TORN}\n'
JSON = '{"transaction_id": "t1", "age": 30}\n{"transaction_id": "t2", "age": 200, "other": true}\nt3,17\n'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / CONTRACT.name / f"ds={DAY}"
    folder.mkdir(parents=True)
    return folder


def lines(folder: Path, file: str, *records: str, **_: Any) -> dict[str, int]:
    return find_lines(str(folder.parents[1]), CONTRACT, DAY, file, records)


def test_a_record_is_found_by_its_fields_or_its_text(folder: Path) -> None:
    (folder / "a.csv").write_text(CSV)
    (folder / "b.csv.gz").write_bytes(gzip.compress(CSV.encode()))
    (folder / "c.jsonl").write_text(JSON)
    (folder / "d.NDJSON").write_text(JSON)
    assert lines(folder, "a.csv", SENT, TORN) == {SENT: 4, TORN: 5}, "a quoted field spans two lines"
    assert lines(folder, "b.csv.gz", SENT, TORN) == {SENT: 4, TORN: 5}
    assert lines(folder, "c.jsonl", SENT, TORN) == {SENT: 2, TORN: 3}
    assert lines(folder, "d.NDJSON", SENT, TORN) == {SENT: 2, TORN: 3}


def test_what_is_gone_or_no_text_has_no_line(folder: Path) -> None:
    (folder / "a.csv").write_text(CSV)
    (folder / "cut.csv.gz").write_bytes(gzip.compress(CSV.encode())[:-20])
    (folder / "d.parquet").write_text(CSV)
    assert lines(folder, "a.csv", "another record") == {}
    for file in ("gone.csv", "cut.csv.gz", "d.parquet"):
        assert lines(folder, file, SENT) == {}
    assert find_lines("s3://bucket/landing", CONTRACT, DAY, "a.csv", [SENT]) == {}


def test_a_record_is_found_under_the_names_of_its_file(folder: Path) -> None:
    columns = tuple(
        replace(column, source="TransactionNo" if column.name == "transaction_id" else None)
        for column in CONTRACT.columns
    )
    contract = replace(CONTRACT, columns=columns)
    (folder / "a.csv").write_text(f"\n{CSV.replace('transaction_id', 'TransactionNo')}")
    (folder / "c.jsonl").write_text(JSON.replace("transaction_id", "TransactionNo"))
    for file, line in (("a.csv", 5), ("c.jsonl", 2)):
        assert find_lines(str(folder.parents[1]), contract, DAY, file, [SENT]) == {SENT: line}
