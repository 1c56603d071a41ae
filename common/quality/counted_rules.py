"""Count for all rules of a Great Expectations suite in one pass; the library makes one for each level of its metrics."""

from __future__ import annotations

from typing import Any

from common.quality.result import EXAMPLES

DETAIL = {"result_format": "BASIC", "partial_unexpected_count": EXAMPLES}
ROW_COUNT = "table.row_count"


class CountedRules(dict[Any, Any]):
    """The metrics of one pass, by id. Unexpected values read as empty, which is right for every rule that holds."""

    def __init__(self, number: int | None = None) -> None:
        """`number` is that of the rows, if known: they are then not counted again."""
        super().__init__()
        self.number = number

    def __contains__(self, key: object) -> bool:
        return super().__contains__(key) or str(getattr(key, "metric_name", "")).endswith(".unexpected_values")

    def __missing__(self, key: Any) -> list[Any]:
        return []

    def listening(self, engine: Any) -> Any:
        """Wrap the engine's resolve_metrics: delay all aggregates until the other metrics are done, then count in one pass."""
        from great_expectations.expectations.registry import get_metric_provider

        resolve = engine.resolve_metrics

        def listen(metrics_to_resolve: Any, **kwargs: Any) -> Any:
            # A stable order lets Spark reuse the compiled query.
            metrics = sorted(metrics_to_resolve, key=lambda metric: str(metric.id))
            if self.number is not None and [metric.metric_name for metric in metrics] == [ROW_COUNT]:
                values = {metrics[0].id: self.number}
            else:
                # A metric without a provider function is an aggregate over the rows.
                others = [each for each in metrics if get_metric_provider(each.metric_name, engine)[1] is not None]
                values = resolve(metrics_to_resolve=others or metrics, **kwargs)
            self.update(values)
            return values

        return listen

    def result(self, expectation: Any, engine: Any) -> dict[str, Any]:
        """Return the expectation's full result from these counts; empty if it needs metrics that were not counted."""
        from great_expectations.exceptions.exceptions import InvalidExpectationConfigurationError

        try:
            validation = expectation.metrics_validate(
                metrics=self, execution_engine=engine, runtime_configuration={"result_format": DETAIL}
            )
        except InvalidExpectationConfigurationError:
            return {}
        return dict(validation.result or {})
