"""Records as Arrow batches, in the columns that `common.sources.source` promises."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from common.sources.parsed_block import ParsedBlock, count_lines
from common.sources.source import SourceUnit

# Before the columns of the contract.
ABOUT = {"file": "string", "problem": "string", "record": "string", "extra": "string", "lines": "bigint"}


def schema(columns: Sequence[str]) -> str:
    """The schema for Spark of all batches that are made here."""
    types = {**ABOUT, **dict.fromkeys(columns, "string")}
    return ", ".join(f"`{name}` {type_}" for name, type_ in types.items())


def few(batches: Iterable[pa.RecordBatch], most_bytes: int) -> pa.Table | None:
    """All of the batches in this process; None, and no further batch is read, once they are larger than that."""
    taken, size = list[pa.RecordBatch](), 0
    for batch in batches:
        taken.append(batch)
        size += batch.nbytes
        if size > most_bytes:
            return None
    return pa.Table.from_batches(taken) if taken else None


def whole(batches: Sequence[pa.RecordBatch], columns: Sequence[str]) -> pa.Table:
    """All of the batches, also if there is none."""
    names = (*ABOUT, *columns)
    return pa.Table.from_batches(
        batches, pa.schema([(name, pa.int64() if name == "lines" else pa.string()) for name in names])
    )


def record_batch(name: str, values: list[Any], columns: list[str], count: int) -> pa.RecordBatch:
    fields = [pa.array(column, pa.string()) for column in values] or [pa.nulls(count, pa.string()) for _ in columns]
    return _batch(name, fields, columns, count)


def plain_batch(name: str, batch: ParsedBlock, columns: list[str]) -> pa.RecordBatch:
    """Splits all lines without quotes in one call."""
    fields = pc.split_pattern(pa.array(batch.plain, pa.string()), batch.delimiter)
    count = len(batch.plain)
    cut = [pa.nulls(count, pa.string()) if at is None else pc.list_element(fields, at) for at in batch.places]
    return _batch(name, cut, columns, count)


def unit_batch(unit: SourceUnit, columns: list[str]) -> pa.RecordBatch:
    """What reading has told about the unit, as a row with problem "" whose record is that."""
    return _batch(unit.name, [pa.nulls(1, pa.string()) for _ in columns], columns, 1, [""], [unit.as_text()], None, [0])


def refused_batch(name: str, batch: ParsedBlock, columns: list[str]) -> pa.RecordBatch:
    """The refused records, and behind them rows with problem "": unknown column names, and extra lines of long records."""
    lines = [max(1, count_lines([text.split("\n")])) for _, text in batch.refused]
    further = batch.lines - batch.records - sum(lines)
    extra = [None, *sorted(batch.extra)]
    problems = [*(problem for problem, _ in batch.refused), *([""] * len(extra))]
    texts = [*(text for _, text in batch.refused), *([None] * len(extra))]
    count = len(problems)
    return _batch(
        name,
        [pa.nulls(count, pa.string()) for _ in columns],
        columns,
        count,
        problems,
        texts,
        [*([None] * len(batch.refused)), *extra],
        [*lines, further, *([0] * len(batch.extra))],
    )


def _batch(
    name: str,
    fields: list[pa.Array],
    columns: list[str],
    count: int,
    problems: Sequence[str | None] | None = None,
    texts: Sequence[str | None] | None = None,
    extra: Sequence[str | None] | None = None,
    lines: Sequence[int] | None = None,
) -> pa.RecordBatch:
    none = [None] * count
    arrays = [
        pa.array([name] * count, pa.string()),
        pa.array(problems or none, pa.string()),
        pa.array(texts or none, pa.string()),
        pa.array(extra or none, pa.string()),
        pa.array(lines or [1] * count, pa.int64()),
    ]
    return pa.RecordBatch.from_arrays([*arrays, *fields], names=[*ABOUT, *columns])
