"""The rows of a dataset as they were known on a day, whatever has arrived since."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from common.clean.versions import known_on
from common.contracts import layout
from common.lake import spark_tables
from common.runtime.run import Run


def rows_known(run: Run, event_dates: Sequence[date], on: date) -> DataFrame:
    """Processed rows of those event dates, and in the place of what came later the rows that it replaced."""
    processed, aside = layout.processed(run.contract), layout.superseded(run.contract)
    where = {"event_date": list(event_dates)}
    replaced = spark_tables.read(run, aside, where).where(known_on(on)).drop("superseded")
    current = spark_tables.read(run, processed, where).where(F.col("arrived") <= F.lit(on))
    # A clean that was killed between its commits leaves a row in both tables; it counts once.
    identity = ["event_date", *run.contract.key, "record_hash", "arrived"]
    return _with(current.join(replaced.select(*identity), identity, "left_anti"), replaced)


def _with(current: DataFrame, replaced: DataFrame) -> DataFrame:
    """Rows that were kept aside, as the processed table has its columns: one that the contract has gained comes to each
    table when it is next written to, and no type may hide another."""
    types = {field.name: field.dataType for field in current.schema if field.name in replaced.columns}
    alike = replaced.select(*[F.col(name).cast(type_) for name, type_ in types.items()])
    return current.unionByName(alike, allowMissingColumns=True)


def versions_moved(run: Run, event_dates: Sequence[date], on: date) -> DataFrame:
    """The versions that arrived on that day, and those that it superseded."""
    processed, aside = layout.processed(run.contract), layout.superseded(run.contract)
    where = {"event_date": list(event_dates)}
    arrived = spark_tables.read(run, processed, where).where(F.col("arrived") == F.lit(on))
    moved = spark_tables.read(run, aside, where).where(
        (F.col("arrived") == F.lit(on)) | (F.col("superseded") == F.lit(on))
    )
    return _with(arrived, moved)
