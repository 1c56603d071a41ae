"""Records without a score, read from processed without Spark, and a record as the text that a source would send."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import islice
from typing import Any

import pyarrow.compute as pc

from common.contracts import layout
from common.contracts.column import Column
from common.contracts.number_types import NUMERIC
from common.contracts.scoring import Scoring
from common.days import shifted
from common.lake.log import delta_log
from common.lake.snapshot import open_version
from common.runtime.run import Run

Record = dict[str, str | None]


def pending(run: Run, scoring: Scoring) -> list[Record]:
    """The oldest records without a score that may still be corrected in the period of the run."""
    return list(islice(_pending(run, scoring), scoring.most_records))


def _pending(run: Run, scoring: Scoring) -> Iterator[Record]:
    contract, uri = run.contract, run.path(layout.processed(run.contract))
    version = delta_log.version(uri)
    if version == delta_log.NO_TABLE:
        return
    stored = open_version(uri, version)
    names = [column.name for column in contract.columns]
    first = shifted(run.ds, -contract.lateness)
    for part in stored.files:
        if not str(first) <= part <= str(run.ds):
            continue
        rows = stored.read(part, names, pc.field(scoring.fills[0]).is_null())
        for row in rows.sort_by([(name, "ascending") for name in contract.key]).to_pylist():
            yield {column.name: as_sent(column, row[column.name]) for column in contract.columns}


def as_sent(column: Column, value: Any) -> str | None:
    """The value as a text from which clean makes the same value."""
    match value:
        case None | str():
            return value
        case bool():
            return str(value).lower()
        case datetime():
            return f"{value.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%f}Z"
        case date():
            return str(value)
        case Decimal():
            text = f"{value:f}"
        case _:
            text = str(value)
    return text.replace(".", column.decimal) if column.base_type in NUMERIC else text
