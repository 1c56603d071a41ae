"""Count and name what was refused, a batch of records at a time: of a day that fails, every record may be."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator

import pyarrow as pa
import pyarrow.compute as pc

from common.contracts.layout import FILE_REFUSED
from common.lake import small_tables
from common.lake.sql_conditions import Slice


def counted(path: str, where: Slice) -> dict[str, Counter[str]]:
    """The records of each reason, by the day that they came; a record with two reasons counts for both."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for batch in small_tables.read_batches(path, where, ["ds", "copies", "reasons"]):
        rows = pa.table(batch.select(["ds", "copies"]).take(pc.list_parent_indices(batch["reasons"])))
        rows = rows.append_column("reason", pc.list_flatten(batch["reasons"]))
        for group in rows.group_by(["ds", "reason"]).aggregate([("copies", "sum")]).to_pylist():
            counts[group["reason"]][str(group["ds"])] += group["copies_sum"]
    return counts


def refused_files(path: str, where: Slice) -> Iterator[str]:
    """The files that were refused whole."""
    for row in small_tables.each_row(path, where, ["file", "reasons"]):
        if FILE_REFUSED in row["reasons"]:
            yield row["file"]
