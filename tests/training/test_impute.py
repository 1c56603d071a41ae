"""Impute, whatever is missing, equals pandas: each group's statistic, and the declared fallback where a group has none."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.errors import ContractViolationError
from common.training.steps import Impute

NUMBER = st.none() | st.sampled_from([0.0, 1.5, -2.0, 7.0, float("nan"), float("inf"), float("-inf")])
# Of one group all values are missing.
ROWS = st.lists(
    st.tuples(st.sampled_from(["a", "b", None]), NUMBER) | st.tuples(st.just("empty"), st.none()), max_size=9
)
SERVED = st.lists(st.tuples(st.sampled_from(["a", "b", "empty", "new", None]), NUMBER), max_size=9)


@pytest.mark.parametrize("by", ["median", "mean"])
@pytest.mark.parametrize("fallback", ["median", "mean", "missing"])
@pytest.mark.parametrize("group", ["group", None])
def test_missing_values_are_filled_as_pandas_does(by: Any, fallback: Any, group: str | None) -> None:
    if group is None and fallback != "median":
        pytest.skip("a fallback is for groups")
    step = Impute("x", by=by, group=group, fallback=fallback)

    @settings(max_examples=150, deadline=None)
    @given(ROWS, SERVED)
    def check(train: list[tuple[Any, Any]], served: list[tuple[Any, Any]]) -> None:
        frame = pd.DataFrame(
            {"group": [row[0] for row in train], "x": pd.Series([row[1] for row in train], dtype=float)}
        )
        known = frame[frame.x.between(-100, 100)]
        try:
            params = step.fit(columns(train))
        except ContractViolationError:
            assert known.empty or (group and frame.group.isna().all())
            return
        of_all = {"median": known.x.median(), "mean": known.x.mean(), "missing": None}
        of_group = known.groupby("group").x.agg(by).to_dict()
        rest = of_all[fallback if group else by]
        filled = [
            (of_group.get(name, rest) if group else rest) if number is None or number != number else number
            for name, number in served
        ]
        assert step.apply(columns(served), params)["x"].to_pylist() == pytest.approx(filled)

    check()


def columns(rows: list[tuple[Any, Any]]) -> dict[str, pa.Array]:
    return {
        "group": pa.array([row[0] for row in rows], pa.string()),
        "x": pa.array([row[1] for row in rows], pa.float64()),
    }
