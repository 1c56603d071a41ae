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
from common.sources.landing import Landing
from common.sources.source import SourceUnit
from tests.support.landing import PURCHASE

DS = date(2026, 1, 5)
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


@st.composite
def parquet_files(draw: st.DrawFn) -> bytes:
    """A valid file of some columns and types, cut or with a byte changed now and then."""
    names = draw(st.lists(st.sampled_from([*PURCHASE, "more"]), unique=True, max_size=8))
    types = st.sampled_from(
        [pa.string(), pa.int64(), pa.float64(), pa.bool_(), pa.timestamp("ns"), pa.null(), pa.binary()]
    )
    count = draw(st.integers(0, 3))
    columns = [pa.nulls(count, draw(types)) for _ in names]
    file = io.BytesIO()
    pq.write_table(pa.Table.from_arrays(columns, names=names), file)
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
        (unit,) = landing.holds().units
        assert isinstance(unit, SourceUnit)
        if unit.refused:
            assert "Traceback" not in unit.refused
            return
        (file,) = landing.files()
        batches = list(landing.batches(file, list(PURCHASE)))
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
