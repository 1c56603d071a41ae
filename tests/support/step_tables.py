"""Small tables for the steps of a training set, and what the steps make of them."""

import math
from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from common.training.fitting import fit
from common.training.step_base import Step

NAN, INF = math.nan, math.inf


def after(step: Step | Sequence[Step], train: pa.Table, later: pa.Table | None = None) -> dict[str, list[Any]]:
    """Fits the steps and returns the columns of the transformed later rows, or of the training split without them."""
    steps = (step,) if isinstance(step, Step) else step
    return fit(steps, train).apply(train if later is None else later).to_pydict()


def numbers(*values: float | None, type_: pa.DataType | None = None) -> pa.Table:
    return pa.table({"x": pa.array(values, type_ or pa.float64())})


def words(*values: str | None) -> pa.Table:
    return pa.table({"x": pa.array(values, pa.string())})


def same(found: Any, expected: Any) -> bool:
    """Compares exactly, including the sign of zero; NaN equals NaN."""
    return repr(found) == repr(expected)
