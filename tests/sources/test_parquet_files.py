"""A small Parquet file may hold far more text than the memory: it is read in parts, or refused by its footer."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from common.sources.files import parquet_files
from common.sources.files.landing import Landing
from tests.sources.test_landing import folder, landing
from tests.support.landing import judged

__all__ = ["folder"]
MB = 1 << 20


def repeat(folder: Path, text: str, rows: int) -> Landing:
    """One text in every row, which Parquet stores once."""
    (folder / "good.csv").unlink()
    notes = pa.DictionaryArray.from_arrays(pa.array(np.zeros(rows, np.int32)), pa.array([text]))
    pq.write_table(pa.table({"InvoiceNo": list(map(str, range(rows))), "country": notes}), folder / "part.parquet")
    assert (folder / "part.parquet").stat().st_size < 2 * MB
    return landing(folder, longest_record=1_000 if len(text) > MB else MB)


def test_a_text_beyond_the_longest_record_is_never_written_out(folder: Path) -> None:
    day = repeat(folder, "x" * 3 * MB, 20_000)  # 60 GB
    assert judged(day).records == 20_000
    refused = 0
    for batch in day.reader.batches(day.files()[0]):
        refused += sum(problem == "too_long" for problem in batch.column("problem").to_pylist())
        assert pa.total_allocated_bytes() < 500 * MB
    assert refused == 20_000


def test_long_texts_are_written_out_in_parts(folder: Path) -> None:
    day = repeat(folder, "x" * 900_000, 300)
    rows = 0
    for batch in day.reader.batches(day.files()[0]):
        assert batch.nbytes < 70 * MB
        rows += sum(problem is None for problem in batch.column("problem").to_pylist())
    assert rows == 300 == judged(day).records


def test_many_bytes_in_a_row_group_are_refused_unread(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    day = repeat(folder, "x" * 3 * MB, 2)
    monkeypatch.setattr(parquet_files, "MOST_BYTES", MB)
    (unit,) = judged(day).units
    assert unit.refused.startswith("a column holds 3,")
    assert "write smaller row groups" in unit.refused
