"""The rows of a dataset as they were known on a day, whatever has arrived since."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from common import layout, tables
from common.run import Run
from common.versions import known_on


def rows_known(run: Run, event_dates: Sequence[date], on: date, as_stored: bool = False) -> DataFrame:
    """Processed rows of those event dates, and in the place of what came later the rows that it replaced; as stored, with
    the columns and types that the processed table has, whatever its contract says."""
    processed, aside = layout.processed(run.contract), layout.superseded(run.contract)
    if as_stored:
        processed, aside = tables.stored(run, processed), tables.stored(run, aside)
    where = {"event_date": list(event_dates)}
    replaced = tables.read(run, aside, where).where(known_on(on)).drop("superseded")
    current = tables.read(run, processed, where).where(F.col("arrived") <= F.lit(on))
    # A clean that was killed between its commits leaves a row in both tables; it counts once.
    identity = ["event_date", *run.contract.key, "record_hash", "arrived"]
    current = current.join(replaced.select(*identity), identity, "left_anti")
    # Each table gets a column that the contract has gained when it is next written to; and no type may hide another.
    both = [field for field in current.schema if field.name in replaced.columns]
    alike = replaced.select(*[F.col(field.name).cast(field.dataType) for field in both])
    return current.unionByName(alike, allowMissingColumns=True)


def versions_moved(run: Run, event_dates: Sequence[date], on: date) -> DataFrame:
    """The versions that arrived on that day, and those that it superseded."""
    processed, aside = layout.processed(run.contract), layout.superseded(run.contract)
    where = {"event_date": list(event_dates)}
    arrived = tables.read(run, processed, where).where(F.col("arrived") == F.lit(on))
    moved = tables.read(run, aside, where).where((F.col("arrived") == F.lit(on)) | (F.col("superseded") == F.lit(on)))
    return arrived.unionByName(moved.drop("superseded"))
