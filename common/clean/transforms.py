"""Call a dataset's own functions, and check the columns that they return against the contract."""

from __future__ import annotations

import traceback
from collections.abc import Mapping
from dataclasses import replace

from pyspark.errors import AnalysisException
from pyspark.sql import DataFrame

from common.contracts import layout
from common.contracts.contract import LINE, LINE_COLUMN, Contract
from common.contracts.datasets import Dataset
from common.contracts.layout import OF_A_RECORD
from common.errors import UsageError
from common.lake import spark_tables
from common.lake.period_columns import literal
from common.runtime import session_kind
from common.runtime.run import Run

# The datasets that were checked, kept alive so that their id() is not used again.
_declared: dict[int, Dataset] = {}


class TransformError(UsageError):
    """A transform fails, or does not return what its contract declares."""


# Errors that point to the dataset's code, not to the machine.
FAULTS = (AnalysisException, AttributeError, LookupError, NameError, TypeError, ValueError)


def derive(run: Run, rows: DataFrame) -> DataFrame:
    """Return the rows with the derived columns; raise unless every column is as declared."""
    returned = _call(run, "derive", rows)
    stored = {"event_date": run.contract.period_type, "record_hash": "string", **dict(layout.typed(run.contract))}
    _require(run, "derive", returned, stored)
    return returned


def measure(run: Run, rows: DataFrame) -> DataFrame:
    """Return the rows with the measures; raise unless every column that features read is as declared."""
    returned = _call(run, "measure", rows)
    measures = {column.name: column.type for column in run.contract.features.measures}
    stored = {name: type_ for name, type_ in _read_by_features(run.contract).items() if name in rows.columns}
    _require(run, "measure", returned, {**stored, **measures})
    return returned


def require_declared(run: Run) -> None:
    """Call both functions on no rows, so that a mismatch is found before anything is written.

    Once for all days of a range, which share their dataset: Spark takes a quarter of a second to analyse the plans.
    """
    if id(run.dataset) in _declared:
        return
    processed = layout.processed(run.contract)
    record = (*run.contract.columns, *([LINE_COLUMN] if run.contract.key == LINE else []))
    columns = (
        ("event_date", run.contract.period_type),
        *OF_A_RECORD,
        *((column.name, column.type) for column in record),
    )
    derived = derive(run, spark_tables.empty_rows(run.spark, replace(processed, columns=columns)))
    measure(run, spark_tables.conform(derived.withColumn("arrived", literal(run.ds)), processed))
    _declared[id(run.dataset)] = run.dataset


def _read_by_features(contract: Contract) -> dict[str, str]:
    """Return the columns of processed that the features are made of, with their types."""
    features, stored = contract.features, dict(layout.processed(contract).columns)
    names = {features.entity, "event_date", contract.event_time, *features.reads}
    return {name: type_ for name, type_ in stored.items() if name in names}


def _call(run: Run, function: str, rows: DataFrame) -> DataFrame:
    try:
        returned = getattr(run.dataset, function)(rows)
        if isinstance(returned, DataFrame):
            session_kind.analyse(returned)
    except FAULTS as error:
        place, (reason, *_) = _place(error, str(run.dataset.transforms_file)), [*str(error).splitlines(), ""]
        kind = type(error).__name__
        raise TransformError(f"{place}: {function} of {run.contract.name} fails: {kind}: {reason}") from error
    if not isinstance(returned, DataFrame):
        other = type(returned)
        raise TransformError(
            f"{run.dataset.transforms_file}: {function} of {run.contract.name} returns {other.__module__.partition('.')[0]}'s "
            f"{other.__qualname__}; expected Spark's DataFrame: return the rows"
        )
    if foreign := session_kind.foreign_relation(returned, rows):
        raise TransformError(
            f"{run.dataset.transforms_file}: {function} of {run.contract.name} reads {foreign}. A transform may use only "
            "the rows it is given: a day that runs again must give the same rows. Write a look-up as F.create_map or "
            "F.when. Nothing was written."
        )
    return returned


def _place(error: BaseException, file: str) -> str:
    """The file and the last of its lines that the error went through."""
    lines = [str(frame.lineno) for frame in traceback.extract_tb(error.__traceback__) if frame.filename == file]
    return ":".join([file, *lines[-1:]])


def _require(run: Run, function: str, returned: DataFrame, declared: Mapping[str, str]) -> None:
    if problems := spark_tables.differences(returned, declared):
        raise TransformError(
            f"{run.dataset.transforms_file}: {function} of {run.contract.name} returns other columns than the contract "
            f"declares: {'; '.join(problems)}. It returns {returned.columns}. Nothing was written. Correct {function}, "
            "or the declaration."
        )
