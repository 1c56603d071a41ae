"""Whatever lies in landing: every line is accounted for, or the file is refused with a reason, and nothing is raised."""

from __future__ import annotations

import gzip
import io
import json
import tempfile
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from common.contracts import datasets
from common.contracts.column import Column
from common.sources.files.landing import Landing
from common.sources.files.parquet_batches import can_be
from common.sources.source import SourceUnit
from tests.support.landing import PURCHASE, judged

DS = date(2026, 1, 5)
COLUMNS = {column.name: column for column in datasets.load("transactions").contract.columns}
HEADER = ",".join(PURCHASE)
LINE = ",".join(PURCHASE.values())

anything = st.binary(max_size=400)
text = st.text(max_size=40)
pieces = st.sampled_from(
    [HEADER, LINE, '"', '""', ",", "\n", "\r\n", "\r", "\x00", "\ufeff", "é", "a", '"a\nb"', "\u2028"]
)
csv_like = st.lists(pieces, max_size=40).map(lambda parts: f"{HEADER}\n{''.join(parts)}".encode())
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=6,
)
records = st.dictionaries(st.sampled_from([*PURCHASE, "more"]) | text, json_values, max_size=8)
json_like = st.lists(
    records.map(json.dumps) | st.sampled_from(["", "{", "[", "]", "[1]", "{}", '{"a":', "x", '{"a":1,"a":2}']),
    max_size=6,
).map(lambda lines: "\n".join(lines).encode())


WHOLE = st.integers(-(2**63), 2**63 - 1)
PARQUET_TYPES = {
    pa.string(): text,
    pa.large_string(): text | st.just("x" * 1_000),
    pa.dictionary(pa.int32(), pa.string()): text,
    pa.int64(): WHOLE,
    pa.uint64(): st.integers(0, 2**64 - 1),
    pa.float64(): st.floats(),
    pa.decimal128(38, 10): st.decimals(-(10**20), 10**20, places=10),
    pa.bool_(): st.booleans(),
    pa.timestamp("ns"): WHOLE,
    pa.timestamp("us", "Europe/Berlin"): st.integers(-(2**52), 2**52),
    pa.date32(): st.integers(-(2**31), 2**31 - 1),
    pa.time64("us"): st.integers(0, 86_399_999_999),
    pa.null(): st.none(),
    pa.binary(): st.binary(max_size=9),
    pa.list_(pa.string()): st.lists(text, max_size=2),
    pa.struct([("a", pa.int64())]): st.fixed_dictionaries({"a": WHOLE}),
}


@st.composite
def parquet_columns(draw: st.DrawFn, count: int, column: Column | None) -> pa.Array:
    """Of a type that the column takes, or of any."""
    fitting = [pair for pair in PARQUET_TYPES.items() if column is None or can_be(pair[0], column)]
    type_, values = draw(st.sampled_from(fitting))
    drawn = draw(st.lists(st.none() | values, min_size=count, max_size=count))
    if pa.types.is_dictionary(type_):
        return pa.array(drawn, pa.string()).dictionary_encode()
    return pa.array(drawn, type_)


@st.composite
def parquet_files(draw: st.DrawFn) -> bytes:
    """A valid file of some columns and types, cut or with a byte changed now and then."""
    some = st.lists(st.sampled_from([*PURCHASE, "more"]), unique=True, max_size=8)
    names, fitting = draw(st.permutations([*PURCHASE, "more"]) | some), draw(st.integers(0, 3)) > 0
    count = draw(st.integers(0, 3))
    columns = [draw(parquet_columns(count, COLUMNS.get(name) if fitting else None)) for name in names]
    file = io.BytesIO()
    pq.write_table(pa.Table.from_arrays(columns, names=names), file, row_group_size=draw(st.integers(1, 3)))
    content = file.getvalue()
    at = draw(st.integers(0, len(content)))
    return draw(st.sampled_from([content, content, content[:at], content[:at] + b"\xff" + content[at + 1 :]]))


@st.composite
def gzip_files(draw: st.DrawFn) -> bytes:
    content = gzip.compress(draw(csv_like | json_like | anything))
    at = draw(st.integers(0, len(content)))
    return draw(st.sampled_from([content, content, content[:at], content + b"\n", content + content]))


def account_for(name: str, content: bytes) -> None:
    """Reads one landed file as ingest does, and balances its books."""
    with tempfile.TemporaryDirectory() as root:
        landing = Landing(datasets.load("transactions").contract, root, DS)
        Path(landing.folder).mkdir(parents=True)
        Path(landing.folder, name).write_bytes(content)
        assert landing.fingerprint() == landing.fingerprint()
        (unit,) = judged(landing).units
        assert isinstance(unit, SourceUnit)
        if unit.refused:
            assert "Traceback" not in unit.refused
            return
        (file,) = landing.files()
        batches = list(landing.reader.batches(file))
        assert sum(sum(batch.column("lines").to_pylist()) for batch in batches) == unit.records
        for batch in batches:
            batch.validate(full=True)


KINDS = {
    "part.csv": csv_like | anything,
    "part.jsonl": json_like | anything,
    "part.json": json_like | anything,
    "part.csv.gz": gzip_files() | anything,
    "part.jsonl.gz": gzip_files(),
    "part.parquet": parquet_files() | anything,
}


@pytest.mark.parametrize("name", KINDS)
def test_every_line_of_a_landed_file_is_accounted_for(name: str) -> None:
    _fuzz(name, 60)


@pytest.mark.slow
@pytest.mark.parametrize("name", KINDS)
def test_every_line_of_many_landed_files_is_accounted_for(name: str) -> None:
    _fuzz(name, 1_000)


def _fuzz(name: str, examples: int) -> None:
    @settings(max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck))
    @given(KINDS[name])
    def check(content: bytes) -> None:
        account_for(name, content)

    check()
