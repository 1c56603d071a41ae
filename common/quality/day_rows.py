"""The rows that a day added to a table, read once, and only if somebody asks for them."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from pyspark.errors import PySparkException
from pyspark.sql import functions as F

from common.clean.as_of import rows_known
from common.contracts import suite
from common.contracts.changes import event_dates
from common.errors import ContractDeclarationError, UsageError
from common.lake import spark_tables
from common.lake.log import data_files
from common.lake.period_columns import literal

if TYPE_CHECKING:
    from pyspark.sql import DataFrame
    from pyspark.sql.types import StructType

    from common.runtime.run import Run


# Errors in the data or the contract, such as a missing column, a changed type or an unknown dataset.
CANNOT_RUN = (PySparkException, UsageError, ContractDeclarationError)


class RowsNotReadableError(Exception):
    """Raised when not even one row can be looked at."""


class DayRows:
    """As known on ds, so that later corrections do not change the result."""

    def __init__(self, run: Run, name: str) -> None:
        self.run, self.name = run, name
        self.table = suite.table_of(run.contract, name)

    @property
    def columns(self) -> StructType:
        """Those of the table, which need no Spark."""
        return spark_tables.as_stored(data_files.columns(self.run.path(self.table)))

    @cached_property
    def frame(self) -> DataFrame:
        """Computed once: rules, keys and profiles each look at all of them."""
        try:
            return spark_tables.materialize(self._read())[0]
        except CANNOT_RUN as error:
            raise RowsNotReadableError(str(error)) from error

    def _read(self) -> DataFrame:
        run = self.run
        if self.name != "processed":
            return spark_tables.read_partitions(run, self.table, {"ds": [run.ds]})
        rows = rows_known(run, event_dates(run.contract, run.ds, run.contract.lateness), run.ds)
        return rows.where(F.col("arrived") == literal(run.ds))
