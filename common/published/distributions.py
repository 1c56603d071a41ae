"""How the values of a column are spread."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import types

QUANTILES = (0.05, 0.5, 0.95)


@dataclass(frozen=True)
class Distribution:
    """NaN is left out of the mean and the quantiles, which only numbers have."""

    rows: int
    nulls: float  # their share
    distinct: int | None = None  # None for a nested type
    mean: float | None = None
    quantiles: tuple[float, ...] = ()


def distribution(values: pa.ChunkedArray) -> Distribution:
    rows = len(values)
    share = values.null_count / rows if rows else 0.0
    if types.is_nested(values.type):
        return Distribution(rows, share)
    distinct = pc.count_distinct(values).as_py()
    return Distribution(rows, share, distinct, *_of_numbers(values))


def _of_numbers(values: pa.ChunkedArray) -> tuple[float | None, tuple[float, ...]]:
    if not (types.is_integer(values.type) or types.is_floating(values.type) or types.is_decimal(values.type)):
        return None, ()
    numbers = pc.drop_null(pc.cast(values, pa.float64(), safe=False))
    numbers = numbers.filter(pc.invert(pc.is_nan(numbers)))
    if not len(numbers):
        return None, ()
    return pc.mean(numbers).as_py(), tuple(pc.quantile(numbers, q=[*QUANTILES]).to_pylist())
