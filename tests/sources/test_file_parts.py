"""A large text file is read by several tasks, and what comes of it is what one reader makes of it."""

from __future__ import annotations

import hashlib
import io
import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyspark.sql import SparkSession

from common.contracts.aggregates import Pick
from common.contracts.contract import Column, Contract, Feature, Features, Files
from common.sources.files import file_parts
from common.sources.files.file_parts import FilePart, look, parts_of, stretches
from common.sources.files.file_reader import FileReader
from common.sources.files.landing_files import LandedFile
from common.sources.source import SourceUnit
from tests.support.play_lake import PlayLake

CONTRACT = Contract(
    name="notes",
    description="Notes.",
    columns=(
        Column(name="a", type="string", description="The number.", required=True),
        Column(name="b", type="string", description="Free text."),
    ),
    key=("a",),
    features=Features(version=1, entity="a", columns=(Feature("b", Pick("b")),)),
    source=Files(longest_record=500),
)
PIECES = (
    "x",
    "1",
    ",",
    ",",
    '"',
    '""',
    '",',
    ',"',
    "\n",
    "\n",
    "\r\n",
    "é",
    "a,b\n",
    'q,"two\nlines"\n',
    '5" pipe,w\n',
)
TEXTS = st.lists(st.sampled_from(PIECES), max_size=60).map("".join)


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_parts, "PART_BYTES", 7)


def records(reader: FileReader, name: str, parts: list[FilePart]) -> tuple[Counter[str], SourceUnit]:
    """What reading tells, but not how it was split: rows, refused records, lines, and the unit."""
    rows: Counter[str] = Counter()
    units = []
    for part in parts:
        for batch in reader.batches(LandedFile(name), part):
            for row in batch.to_pylist():
                if row["problem"] == "" and row["record"]:
                    units.append(SourceUnit.from_text(row["record"]))
                elif row["problem"] == "" and row["extra"] is None:
                    rows["other lines"] += row["lines"]
                else:
                    rows[repr(sorted(row.items()))] += 1
    return +rows, SourceUnit.joined(units)


def both_ways(folder: Path, text: bytes, name: str = "day.csv") -> tuple[Any, Any]:
    (folder / name).write_bytes(text)
    reader = FileReader(CONTRACT, str(folder))
    whole = records(reader, name, [file_parts.WHOLE])
    return whole, records(reader, name, reader.parts(name))


@given(text=TEXTS)
def test_any_csv_file_reads_as_if_it_was_not_cut(text: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    (rows, unit), (cut_rows, cut) = both_ways(tmp_path_factory.mktemp("csv"), f"a,b\n{text}".encode())
    assert (bool(cut.refused), cut.records) == (bool(unit.refused), unit.records)
    if not unit.refused:
        assert cut_rows == rows


@given(text=TEXTS)
def test_any_json_file_reads_as_if_it_was_not_cut(text: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    lines = "".join(f'{{"a": "{number}", "b": "x"}}\n' for number in range(5)) + text
    (rows, unit), (cut_rows, cut) = both_ways(tmp_path_factory.mktemp("json"), lines.encode(), "day.jsonl")
    assert (bool(cut.refused), cut.records) == (bool(unit.refused), unit.records)
    if not unit.refused:
        assert cut_rows == rows


def test_a_part_begins_where_a_record_does_and_none_is_left_out() -> None:
    text = b'a,b\n1,x\n2,"in\nquotes, 1,2\n3,4\n"\n4,y\n"5",z\n'
    starts = {text.index(begin) for begin in (b"1,x", b'2,"', b"4,y", b'"5"')} | {0}
    for size in range(1, len(text) + 1):
        file_parts.PART_BYTES = size
        parts = parts_of([look(io.BytesIO(text), *stretch, ",") for stretch in stretches(len(text))])
        assert {part.start for part in parts} <= starts, size
        assert [part.end for part in parts] == [*(part.start for part in parts[1:]), None]
        assert all(text[: part.start].count(b"\n") == part.lines for part in parts)


def test_a_large_file_is_cut_into_many_parts_of_about_one_size(tmp_path: Path) -> None:
    file_parts.PART_BYTES = 1_000
    (tmp_path / "day.csv").write_text("a,b\n" + "".join(f'{number},"x"\n' for number in range(2_000)))
    parts = FileReader(CONTRACT, str(tmp_path)).parts("day.csv")
    sizes = [part.end - part.start for part in parts if part.end]
    assert len(parts) > 15
    assert max(sizes) < 1_100


@pytest.mark.parametrize("name", ["day.csv.gz", "day.parquet", "day.jsonl.gz"])
def test_what_is_not_plain_text_is_not_cut(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(b"x" * 100)
    assert FileReader(CONTRACT, str(tmp_path)).parts(name) == [file_parts.WHOLE]


def test_the_hash_is_the_same_for_the_same_bytes_alone(tmp_path: Path) -> None:
    texts = [b"a,b\n" + b"1,x\n2,y\n" * 20, b"a,b\n" + b"2,y\n1,x\n" * 20]
    reader = FileReader(CONTRACT, str(tmp_path))
    digests = []
    for text in [texts[0], texts[1], texts[0]]:
        (_, _), (_, cut) = both_ways(tmp_path, text)
        assert cut.digest == reader.digest("day.csv")
        digests.append(cut.digest)
    assert digests[0] == digests[2] != digests[1]
    assert digests[0] != hashlib.sha256(texts[0]).hexdigest(), "it is one of its parts"


def rows_of(numbers: Iterator[int]) -> str:
    return "".join(
        f't{number},{number % 7},9.5,2026-01-05T10:00:00Z,food,card,"3{number % 10}"\n' for number in numbers
    )


def test_ingest_takes_a_large_file_in_parts_as_it_takes_it_whole(
    lake: PlayLake, spark: SparkSession, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    monkeypatch.setattr(file_parts, "PART_BYTES", 50_000)
    monkeypatch.setattr("common.runtime.plan_size.FEW_BYTES", 1_000)
    header = "transaction_id,user_id,purchase_amount,timestamp,category,payment_method,age\n"
    shuffled = [*range(6_000)]
    random.Random(7).shuffle(shuffled)
    text = header + rows_of(iter(shuffled)) + 'broken,"1\n2",3\n'
    lake.land_bytes("2026-01-05", text.encode())
    whole = PlayLake(tmp_path_factory.mktemp("whole"))
    whole.land_bytes("2026-01-05", text.encode())
    done = lake.ingest("2026-01-05")
    monkeypatch.setattr(file_parts, "PART_BYTES", 1 << 30)
    assert whole.ingest("2026-01-05")["counts"] == done["counts"]
    assert done["counts"]["accepted"] == 6_000
    assert lake.content() == whole.content()
    monkeypatch.setattr(file_parts, "PART_BYTES", 50_000)
    assert lake.ingest("2026-01-05")["outcome"] == "nothing"
