"""Let Great Expectations judge what was measured of a day's rows; it needs neither the rows nor Spark for that."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from common.quality.broken_rules import DECIDED_BY, VALUES
from common.quality.counted_rules import DETAIL, ROW_COUNT, UNEXPECTED_VALUES

if TYPE_CHECKING:
    from pyspark.sql.types import DataType, StructType

    from common.quality.measured import Measured

COUNT = ".unexpected_count"
# The others are not asked what they need, as some ask the rows for it.
JUDGED = {
    *VALUES, *DECIDED_BY, "ExpectTableColumnsToMatchSet", "ExpectTableRowCountToBeBetween", "ExpectColumnValuesToBeOfType",
}  # fmt: skip
NOT_NULL = "column_values.nonnull.unexpected_count"
KEYS_WHOLE = "compound_columns.unique.filtered_row_count"
UNIQUE = ("column_values.unique.unexpected_count", "compound_columns.unique.unexpected_count")
OF_A_COLUMN = {f"column.{name}" for name in DECIDED_BY.values()}
# An execution engine asks Spark for nothing until a metric is computed, so it needs no session before.
NO_SPARK = object()
_DECLARING = threading.RLock()


class NotMeasuredError(Exception):
    """A metric that was not measured: the rows have to be asked."""


@dataclass(frozen=True)
class MeasuredTable:
    """What is known of the rows: their columns, and what was measured."""

    columns: StructType
    key: Sequence[str]
    measured: Measured

    def metrics(self, wanted: Mapping[str, Any], place: int) -> dict[Any, Any]:
        """The metrics of the rule at that place, by their id; raises if one of them was not measured."""
        return {metric.id: self._metric(metric, place) for metric in wanted.values()}

    def _metric(self, metric: Any, place: int) -> Any:
        name, domain = metric.metric_name, metric.metric_domain_kwargs
        if domain.get("row_condition"):
            raise NotMeasuredError
        if name in OF_A_COLUMN:
            return self._number(place, self.columns[domain["column"]].dataType, mean=name == "column.mean")
        return self._of_the_table(name, domain, place)

    def _of_the_table(self, name: str, domain: Mapping[str, Any], place: int) -> Any:
        match name:
            case "table.columns":
                return self.columns.names
            case "table.column_types":
                return [{"name": column.name, "type": column.dataType} for column in self.columns]
            case _ if name == ROW_COUNT:
                return self.measured.rows
            case _ if name.endswith(UNEXPECTED_VALUES):
                return []  # right for every rule that holds, and others are asked of the rows
            case _ if name == NOT_NULL:
                return self._nulls(domain["column"])
            case _ if name in UNIQUE:
                return self._repeated(domain)
            case _ if name == KEYS_WHOLE and not any(map(self._nulls, domain["column_list"])):
                return self.measured.rows
            case _ if name.endswith(COUNT) and str(place) in self.measured.broken:
                return self.measured.broken[str(place)]
        raise NotMeasuredError

    def _nulls(self, column: str) -> int:
        if column not in self.measured.nulls:
            raise NotMeasuredError
        return self.measured.nulls[column]

    def _number(self, place: int, type_: DataType, *, mean: bool) -> Any:
        """As Great Expectations takes it from Spark: it makes a decimal a float."""
        text = self.measured.numbers.get(str(place))
        if text is None:
            raise NotMeasuredError
        return int(text) if type_.typeName() in ("integer", "long") and not mean else float(text)

    def _repeated(self, domain: Mapping[str, Any]) -> int:
        """Only that no key repeats is known, not how many do."""
        columns = domain.get("column_list") or [domain["column"]]
        if list(columns) != list(self.key) or not self.measured.unique:
            raise NotMeasuredError
        return 0


def judge(suite: Any, table: MeasuredTable) -> Any | None:
    """The validation of the suite; None if a rule needs more than was measured, or fails: the rows then tell examples."""
    from great_expectations import __version__
    from great_expectations.core import ExpectationSuiteValidationResult
    from great_expectations.execution_engine.sparkdf_execution_engine import SparkDFExecutionEngine
    from great_expectations.validator.validation_statistics import calc_validation_statistics

    engine = SparkDFExecutionEngine(spark=NO_SPARK, persist=False)
    try:
        results = [_judged(expectation, table, engine) for expectation in suite.expectations]
    except NotMeasuredError:
        return None
    statistics = calc_validation_statistics(results)
    if not statistics.success:
        return None
    return ExpectationSuiteValidationResult(
        results=results,
        success=True,
        suite_name=suite.name,
        statistics={
            "evaluated_expectations": statistics.evaluated_expectations,
            "successful_expectations": statistics.successful_expectations,
            "unsuccessful_expectations": statistics.unsuccessful_expectations,
            "success_percent": statistics.success_percent,
        },
        meta={"great_expectations_version": __version__},
    )


def _judged(expectation: Any, table: MeasuredTable, engine: Any) -> Any:
    known = type(expectation).__name__ in JUDGED
    if not known or getattr(expectation, "column", None) not in (None, *table.columns.names):
        raise NotMeasuredError
    asked = {"runtime_configuration": {"result_format": DETAIL}, "execution_engine": engine}
    wanted = expectation.get_validation_dependencies(**asked).metric_configurations
    metrics = table.metrics(wanted, expectation.meta["rule"])
    return expectation.metrics_validate(metrics=metrics, **asked)


@contextmanager
def declared_without_spark() -> Iterator[None]:
    """Great Expectations tries whether Spark answers when a source is declared; what was measured is judged without it."""
    from great_expectations.datasource.fluent.spark_datasource import SparkDatasource

    with _DECLARING:
        tried = SparkDatasource.test_connection
        SparkDatasource.test_connection = lambda *_, **__: None  # type: ignore[method-assign]
        try:
            yield
        finally:
            SparkDatasource.test_connection = tried  # type: ignore[method-assign]
