"""Count for all rules of a Great Expectations suite in one pass; the library makes one for each level of its metrics."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from common.quality.result import EXAMPLES

DETAIL = {"result_format": "BASIC", "partial_unexpected_count": EXAMPLES}
ROW_COUNT = "table.row_count"
UNEXPECTED_VALUES = ".unexpected_values"


@contextmanager
def counted_once(engine: Any, number: int | None = None) -> Iterator[None]:
    """Delay all aggregates until the other metrics are done, and then count in one pass.

    Unexpected values are not looked up, and read as empty, which is right for every rule that holds. `number` is that of the
    rows, if known: they are then not counted again.
    """
    original, engine.resolve_metrics = engine.resolve_metrics, _delaying(engine, number)
    try:
        yield
    finally:
        engine.resolve_metrics = original


def _delaying(engine: Any, number: int | None) -> Callable[..., dict[Any, Any]]:
    from great_expectations.expectations.registry import get_metric_provider

    resolve = engine.resolve_metrics

    def resolved(metrics_to_resolve: Any, **kwargs: Any) -> dict[Any, Any]:
        # A stable order lets Spark reuse the compiled query.
        metrics = sorted(metrics_to_resolve, key=lambda metric: str(metric.id))
        known: dict[Any, Any] = {metric.id: [] for metric in metrics if metric.metric_name.endswith(UNEXPECTED_VALUES)}
        asked = [metric for metric in metrics if metric.id not in known]
        if number is not None and [metric.metric_name for metric in asked] == [ROW_COUNT]:
            return {**known, asked[0].id: number}
        # A metric without a provider function is an aggregate over the rows.
        others = [each for each in asked if get_metric_provider(each.metric_name, engine)[1] is not None]
        return {**known, **(resolve(metrics_to_resolve=others or asked, **kwargs) if asked else {})}

    return resolved
