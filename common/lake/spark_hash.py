"""The content hash of Spark's rows: where there are many, they are digested in their tasks, and only digests come here."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from common.lake.content_hash import ContentHash, hash_rows, require_unique
from common.lake.row_diff import ROW, RowDiff, diff_rows
from common.runtime.plan_size import FEW_ROWS


def hash_frame(rows: DataFrame, key: Sequence[str], size: int) -> str:
    """The same as `hash_rows` of all rows, of which there are `size`; raises unless the key is unique."""
    if size <= FEW_ROWS:
        return hash_rows(rows.toArrow(), key)
    require_unique(rows.groupBy(*key).count().where("count > 1").isEmpty(), key)
    content = ContentHash(rows.limit(0).toArrow().schema)

    def digest(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            yield pa.record_batch({"digests": pa.array([content.digests(batch)], pa.binary())})

    for digests in rows.mapInArrow(digest, "digests binary").toArrow()["digests"]:
        content.take(digests.as_py())
    return content.hexdigest()


def diff_frames(before: DataFrame, after: DataFrame, key: Sequence[str], size: int) -> RowDiff | None:
    """The differences, of the first rows that differ where there are many; None if both hold the same rows."""
    if size <= FEW_ROWS:
        return diff_rows(before.toArrow(), after.toArrow(), key)
    if hash_frame(before, key, size) == hash_frame(after, key, size):
        return None
    differing = before.exceptAll(after).unionAll(after.exceptAll(before)).select(*key).distinct().limit(FEW_ROWS)
    differing = F.broadcast(differing.localCheckpoint())
    one, other = (rows.join(differing, [*key], "left_semi").toArrow() for rows in (before, after))
    return diff_rows(one, other, key) or RowDiff({ROW: []})
