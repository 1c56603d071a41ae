"""The records of all pages: in this process while they are few, and in a file of Arrow batches once they are more."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from common.runtime import plan_size, session_kind
from common.sources.arrow_batches import schema, whole

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession


@dataclass(frozen=True)
class KeptRecords:
    batches: Sequence[pa.RecordBatch] = field(default_factory=list, repr=False)
    file: Path | None = None

    @classmethod
    def of(cls, batches: Iterable[pa.RecordBatch], file: Path) -> KeptRecords:
        taken, size, rest = list[pa.RecordBatch](), 0, iter(batches)
        for batch in rest:
            taken.append(batch)
            size += batch.nbytes
            if size > plan_size.ONE_TASK_BYTES:
                _write(file, batch.schema, chain(taken, rest))
                return cls(file=file)
        return cls(taken)

    def read(self, spark: SparkSession, columns: Sequence[str]) -> DataFrame:
        if self.file and session_kind.runs_here(spark):
            return _read_by_tasks(spark, str(self.file), schema(columns))
        # Through the driver, because only this machine is sure to have the file.
        records = (
            pa.ipc.open_file(pa.memory_map(str(self.file))).read_all() if self.file else whole(self.batches, columns)
        )
        rows: DataFrame = spark.createDataFrame(records)
        return plan_size.by_size(rows, records.nbytes)


def _write(file: Path, columns: pa.Schema, batches: Iterable[pa.RecordBatch]) -> None:
    file.touch(mode=0o600)
    with pa.ipc.new_file(str(file), columns) as writer:
        for batch in batches:
            writer.write_batch(batch)


def _read_by_tasks(spark: SparkSession, file: str, columns: str) -> DataFrame:
    plan_size.begin_large(spark)
    count = pa.ipc.open_file(pa.memory_map(file)).num_record_batches

    def read(places: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        records = pa.ipc.open_file(pa.memory_map(file))
        for some in places:
            yield from map(records.get_batch, some.column(0).to_pylist())

    return spark.range(0, count, 1, min(count, plan_size.tasks(spark))).mapInArrow(read, columns)
