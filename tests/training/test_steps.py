"""Preprocessing steps, each compared with pandas; declarations that cannot be are refused."""

import math
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.errors import ContractDeclarationError, ContractViolationError
from common.training.fitting import Fitted, columns_read, fit
from common.training.step_base import Step
from common.training.steps import Clip, DateParts, Drop, Impute, Log, MinMax, OneHot, Ordinal, Ratio, Standard
from tests.support.step_tables import INF, NAN, after, numbers, words

SPLIT = st.lists(st.none() | st.floats(-1e6, 1e6) | st.sampled_from([NAN]), min_size=1, max_size=30)


def known(values: list[float | None]) -> bool:
    return any(value is not None and not math.isnan(value) for value in values)


@given(SPLIT.filter(known))
def test_fitted_numbers_equal_pandas(values: list[float | None]) -> None:
    split, series = numbers(*values), pd.Series(values, dtype="float64")
    assert fit([Impute("x", by="median")], split).params[0] == {"value": pytest.approx(series.median())}
    assert fit([Impute("x", by="mean")], split).params[0] == {"value": pytest.approx(series.mean(), abs=1e-9)}
    low, high = series.min(), series.max()
    assert fit([MinMax("x")], split).params[0] == {"low": low, "span": high - low}
    standard = fit([Standard("x")], split).params[0]
    assert standard["mean"] == pytest.approx(series.mean(), abs=1e-9)
    assert standard["deviation"] == pytest.approx(series.std(ddof=0), rel=1e-6, abs=1e-6)
    low, high = series.quantile([0.05, 0.8])
    expected = {"low": pytest.approx(low, abs=1e-6), "high": pytest.approx(high, abs=1e-6)}
    assert fit([Clip("x", quantiles=(0.05, 0.8))], split).params[0] == expected


GROUPED = st.lists(st.tuples(st.none() | st.integers(-2, 2), st.none() | st.floats(-1e6, 1e6)), max_size=30)


@given(GROUPED, GROUPED, st.sampled_from(["mean", "median"]))
def test_values_imputed_by_group_equal_pandas(train: list[Any], later: list[Any], by: Any) -> None:
    train = [(0, 1.0), *train]
    frame = pd.DataFrame(train, columns=["g", "x"], dtype="float64")
    inside = frame.groupby("g")["x"].agg(by)
    rows = pd.DataFrame(later, columns=["g", "x"], dtype="float64")
    expected = rows["x"].fillna(rows["g"].map(inside)).fillna(frame["x"].median())
    schema = pa.schema({"g": pa.int32(), "x": pa.float64()})
    split, after_it = (
        pa.Table.from_pylist([dict(zip("gx", pair, strict=True)) for pair in pairs], schema) for pairs in (train, later)
    )
    found = after(Impute("x", by=by, group="g"), split, after_it)
    assert found["x"] == pytest.approx(expected.tolist(), abs=1e-6)
    assert found["g"] == [group for group, _ in later]


@given(st.lists(st.none() | st.sampled_from("abcde"), min_size=1).filter(any), st.booleans())
def test_one_hot_equals_pandas(values: list[str | None], drop_first: bool) -> None:
    expected = pd.get_dummies(pd.Series(values, dtype="object"), prefix="x", drop_first=drop_first, dtype=int)
    assert after(OneHot("x", drop_first=drop_first), words(*values)) == expected.to_dict("list")


def test_an_unknown_group_takes_the_overall_median() -> None:
    months, charges = [1, 1, 2, 2, 3, None], [10.0, 20.0, 100.0, None, NAN, 1000.0]
    train = pa.table({"months": months, "charges": charges})
    later = pa.table({"months": [1, 2, 3, 99, None], "charges": pa.nulls(5, pa.float64())})
    found = after(Impute("charges", by="mean", group="months"), train, later)
    assert found["charges"] == [15, 100, 60, 60, 60]


@pytest.mark.parametrize(("fallback", "expected"), [("median", 20.0), ("mean", 40.0), ("missing", None)])
def test_an_unknown_group_takes_the_declared_fallback(fallback: Any, expected: float | None) -> None:
    train = pa.table({"months": [1, 1, 2], "charges": [10.0, 20.0, 90.0]})
    later = pa.table({"months": [1, 99, None], "charges": pa.nulls(3, pa.float64())})
    step = Impute("charges", by="mean", group="months", fallback=fallback)
    assert after(step, train, later)["charges"] == [15, expected, expected]
    assert Fitted.from_json(fit([step], train).to_json()).steps == (step,)


def test_an_option_at_its_default_is_not_stored() -> None:
    step = Impute("x", by="mean", group="g")
    assert repr(step) == "Impute(column='x', into=None, by='mean', group='g', value=None)"
    assert list(step.declared) == ["column", "into", "by", "group", "value"]
    assert "fallback='mean'" in repr(replace(step, fallback="mean"))


def test_groups_may_be_words_or_booleans() -> None:
    for groups in (["a", "a", "b"], [True, True, False]):
        split = pa.table({"g": groups, "x": [1.0, None, 5.0]})
        fitted = fit([Impute("x", by="median", group="g")], split)
        assert Fitted.from_json(fitted.to_json()).apply(split).to_pydict()["x"] == [1, 1, 5]


def test_a_constant_fill_keeps_string_and_integer_types() -> None:
    assert after(Impute("x", by="constant", value="none"), words("a", None)) == {"x": ["a", "none"]}
    fitted = fit([Impute("x", by="constant", value=7)], numbers(1, None, type_=pa.int32()))
    assert fitted.output_schema.field("x").type == pa.int32()
    assert fitted.apply_row({"x": None}) == {"x": 7}
    assert after(Impute("x", by="constant", value=0), numbers(1, None, NAN)) == {"x": [1, 0, 0]}


def test_min_max_maps_training_to_0_to_1_and_keeps_outliers_out() -> None:
    train, later = numbers(10, 20, None), numbers(5, 15, 30, None, NAN)
    assert after(MinMax("x"), train, later) == {"x": [-0.5, 0.5, 2, None, None]}
    assert after(MinMax("x", clip=True), train, later) == {"x": [0, 0.5, 1, None, None]}


@pytest.mark.parametrize("step", [MinMax("x"), Standard("x")])
def test_a_constant_column_becomes_0(step: Step) -> None:
    assert after(step, numbers(0.1, 0.1, 0.1, None)) == {"x": [0, 0, 0, None]}
    assert after(step, numbers(0.1, 0.1, 0.1), numbers(5, None)) == {"x": [0, None]}


def test_standard_is_deviations_from_the_mean() -> None:
    assert after(Standard("x"), numbers(2, 4, None), numbers(3, 5, None)) == {"x": [0, 2, None]}


def test_log_is_the_logarithm_of_one_plus_x() -> None:
    assert after(Log("x"), numbers(0, math.e - 1, None, NAN)) == {"x": [0, 1, None, None]}
    assert after(Log("x"), numbers(None)) == {"x": [None]}


def test_logarithms_are_the_same_on_any_processor() -> None:
    values = [number / 7 for number in range(2000)]
    assert after(Log("x"), numbers(*values)) == {"x": [math.log1p(value) for value in values]}


def test_log_refuses_values_without_a_logarithm() -> None:
    with pytest.raises(ContractViolationError, match="Log of x: found 2 values of -1 or less.*Clip"):
        fit([Log("x")], numbers(1, -1, -5))
    fitted = fit([Log("x")], numbers(1))
    with pytest.raises(ContractViolationError, match="found 1 values of -1 or less"):
        fitted.apply_row({"x": -1.0})


def test_clip_holds_values_within_its_bounds() -> None:
    values = numbers(-5, 5, 50, None, NAN, INF)
    assert after(Clip("x", low=0, high=10), values) == {"x": [0, 5, 10, None, None, 10]}
    assert after(Clip("x", low=0), values)["x"][:3] == [0, 5, 50]
    assert after(Clip("x", high=10), values)["x"][:3] == [-5, 5, 10]
    train = numbers(*range(101))
    assert after(Clip("x", quantiles=(0.1, 0.9)), train, numbers(-7, 50, 700)) == {"x": [10, 50, 90]}


def test_infinite_numbers_are_transformed_but_not_fitted() -> None:
    assert fit([MinMax("x")], numbers(0, 2, INF, -INF, NAN)).params == ({"low": 0, "span": 2},)
    assert after(Standard("x"), numbers(0, 2), numbers(INF)) == {"x": [INF]}
    assert after(Impute("x", by="mean"), numbers(0, 2, INF), numbers(None, INF)) == {"x": [1, INF]}


def test_decimals_become_the_nearest_double() -> None:
    cents = [Decimal(number) / 100 for number in range(1, 30_000, 7)]
    split = pa.table({"x": pa.array(cents, pa.decimal128(12, 2))})
    assert after(Clip("x", low=0), split) == {"x": [float(each) for each in cents]}


@pytest.mark.parametrize("type_", [pa.int8(), pa.int64(), pa.uint16(), pa.float32(), pa.bool_(), pa.decimal128(5, 1)])
def test_numbers_of_any_type_are_written_as_doubles(type_: pa.DataType) -> None:
    zero_one = pa.table({"x": pa.array([0, 1, None], pa.int8()).cast(type_, safe=False)})
    for split in (zero_one, zero_one.slice(0, 2)):
        found = fit([MinMax("x")], split).apply(split)
        assert found.schema == pa.schema({"x": pa.float64()})
        assert found.to_pydict() == {"x": [0, 1, None][: len(split)]}


def test_one_hot_names_its_columns_after_the_categories() -> None:
    found = after(OneHot("x", drop_first=False), words("Bank transfer (automatic)", "E-Mail", "", None))
    assert found == {"x_": [0, 0, 1, 0], "x_bank_transfer_automatic": [1, 0, 0, 0], "x_e_mail": [0, 1, 0, 0]}
    whole = pa.table({"x": [-1, 1, 0]})
    assert [*after(OneHot("x", drop_first=False), whole)] == ["x__1", "x_0", "x_1"]


def test_unknown_categories_are_0_in_every_column() -> None:
    assert after(OneHot("x"), words("b", "a", "c"), words("c", "z", None, "a")) == {
        "x_b": [0, 0, 0, 0],
        "x_c": [1, 0, 0, 0],
    }


def test_unknown_categories_can_be_an_error() -> None:
    fitted = fit([OneHot("x", unseen="error")], words("a", "b"))
    assert fitted.apply_row({"x": "b"}) == {"x_b": 1}
    for value in ("z", None):
        with pytest.raises(ContractViolationError, match="OneHot of x: found 1 values"):
            fitted.apply_row({"x": value})


def test_ordinal_is_the_place_in_the_order() -> None:
    later = words("low", "high", "odd", None)
    assert after(Ordinal("x", order=("low", "mid", "high")), words("high"), later) == {"x": [0, 2, -1, -1]}
    assert after(Ordinal("x", unseen=-9), words("low", "high", None), later) == {"x": [1, 0, -9, -9]}


def test_date_parts_stand_beside_the_date() -> None:
    days = [date(2026, 1, 5), date(2024, 12, 29), None]
    found = after(DateParts("d"), pa.table({"d": days}))
    assert found == {
        "d": days,
        "d_year": [2026, 2024, None],
        "d_month": [1, 12, None],
        "d_day": [5, 29, None],
        "d_dayofweek": [1, 7, None],
        "d_quarter": [1, 4, None],
    }


def test_a_ratio_without_a_divisor_is_the_declared_value() -> None:
    split = pa.table({"a": [1.0, 1.0, 1.0, None, None, NAN], "b": [4.0, 0.0, None, 2.0, 0.0, 2.0]})
    assert after(Ratio("r", "a", "b", zero=-1.0), split)["r"] == [0.25, -1, -1, None, -1, None]
    assert after(Ratio("a", "a", "b"), split)["a"][0] == 0.25


CONTRADICTIONS: list[tuple[Callable[[], Step], str]] = [
    (lambda: Impute("x", by="most"), "by is 'most'; expected median, mean or constant"),  # type: ignore[arg-type]
    (lambda: Impute("x", by="mean", value=3), "by 'mean' with value 3"),
    (lambda: Impute("x", by="constant"), "by 'constant' with value None"),
    (lambda: Impute("x", by="constant", value=3, group="g"), "by constant and by group g"),
    (lambda: Impute("x", by="mean", fallback="mean"), "fallback mean is for groups"),
    (
        lambda: Impute("x", by="mean", group="g", fallback="zero"),
        "fallback is 'zero'; expected median, mean or missing",
    ),  # type: ignore[arg-type]
    (lambda: Impute("x", by="mean", group="x"), "group x is the column it fills"),
    (lambda: Impute("x", by="mean", group="y", into="y"), "group y is the column it fills"),
    (lambda: Clip("x"), "neither bounds nor quantiles"),
    (lambda: Clip("x", low=0, quantiles=(0.1, 0.9)), r"both bounds \[0\] and quantiles"),
    (lambda: Clip("x", low=3, high=1), "low 3 is above high 1"),
    (lambda: Clip("x", low=NAN), "low is nan; expected a number"),
    (lambda: Clip("x", quantiles=(0.9, 0.1)), "quantiles 0.9 and 0.1; expected"),
    (lambda: OneHot("x", unseen="guess"), "unseen is 'guess'; expected zeros or error"),  # type: ignore[arg-type]
    (lambda: Ordinal("x", order=()), "the order is empty"),
    (lambda: Ordinal("x", order=("a", "b", "a")), r"\['a'\] appear twice"),
    (lambda: Ordinal("x", unseen=0), "unseen 0 could be a category's code"),
    (lambda: DateParts("x", parts=()), "no parts"),
    (lambda: DateParts("x", parts=("hour",)), r"parts \['hour'\] are not among year"),
    (lambda: DateParts("x", parts=("day", "day")), r"\['day'\] appear twice"),
    (lambda: Ratio("r", "x", "x"), "x is both numerator and divisor; name two columns"),
    (lambda: Ratio("r", "x", "y", zero=NAN), "zero is nan; expected a number"),
    (lambda: Drop("abc"), r"columns is a str; expected a tuple: columns=\('abc',\)"),  # type: ignore[arg-type]
    (lambda: Drop(()), "no columns"),
]


@pytest.mark.parametrize(("declare", "message"), CONTRADICTIONS)
def test_a_contradictory_step_is_refused_when_declared(declare: Callable[[], Step], message: str) -> None:
    with pytest.raises(ContractDeclarationError, match=message):
        declare()


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        ([OneHot("x"), Ordinal("x")], "Ordinal of x needs x, which OneHot of x has removed"),
        ([Drop(("x",)), Drop(("x",))], "Drop of x needs x, which Drop of x has removed"),
        (
            [MinMax("x", into="y"), Ratio("y", "a", "b")],
            "Ratio of a, b would overwrite y, which comes from MinMax of x",
        ),
        ([Standard("y", into="z"), MinMax("x", into="y")], "MinMax of x would overwrite y, which comes from the table"),
    ],
)
def test_steps_that_contradict_each_other_are_refused(steps: list[Step], message: str) -> None:
    with pytest.raises(ContractDeclarationError, match=message):
        columns_read(steps)
    with pytest.raises(ContractDeclarationError, match=message):
        fit(steps, pa.table({"x": [1, 2], "y": [1, 2], "a": [1, 2], "b": [1, 2]}))


def test_a_name_is_free_again_once_its_column_is_gone() -> None:
    split = pa.table({"x": [1, 2], "y": ["a", "b"]})
    again = [MinMax("x", into="y"), Clip("y", low=0.5)]
    for before in ([Drop(("y",))], [OneHot("y"), Drop(("y_b",))], [Drop(("y",)), *again, Drop(("y",))]):
        assert after([*before, *again], split) == {"x": [1, 2], "y": [0.5, 1]}


def test_one_hot_columns_can_be_read_but_are_no_input() -> None:
    split = pa.table({"x": ["a", "b"], "n": [2, 4]})
    fitted = fit([OneHot("x"), Ratio("r", "x_b", "n")], split)
    assert fitted.reads == ("x", "n")
    assert fitted.apply(split).to_pydict()["r"] == [0, 0.25]


@pytest.mark.parametrize(
    ("step", "split", "message"),
    [
        (MinMax("y"), numbers(1), "MinMax of y: found the columns x; expected y too"),
        (Drop(("y",)), numbers(1), "Drop of y: found the columns x; expected y too"),
        (MinMax("x"), words("1"), "MinMax of x: x is string, expected numbers"),
        (OneHot("x"), numbers(1), "OneHot of x: x is double, expected words"),
        (DateParts("x"), words("2026-01-05"), "DateParts of x: x is string, expected dates"),
        (Standard("x"), numbers(None, NAN, INF), "x has no known value"),
        (Impute("x", by="median"), numbers(None), "x has no known value"),
        (OneHot("x"), words(None), "x has no known value"),
        (Standard("x"), numbers(1e308, 1e308), "too large to compute with"),
        (MinMax("x"), numbers(-1e308, 1e308), "too large to compute with"),
        (Impute("x", by="constant", value="none"), numbers(1), "declared .*none.*, but the column is double"),
        (Impute("x", by="constant", value=0.5), numbers(1, type_=pa.int64()), "declared .*0.5.*, .* is int64"),
        (Ordinal("x", order=(1, 2)), words("a"), "declared .*1, 2.*, but the column is string"),
        (OneHot("x"), words("E-Mail", "e mail"), r"OneHot of x: several categories would be called \['x_e_mail'\]"),
        (
            OneHot("x"),
            pa.table({"x": ["a", "b"], "x_b": [1, 1]}),
            "OneHot of x would overwrite x_b, which the rows have already",
        ),
        (
            MinMax("x", into="y"),
            pa.table({"x": [1], "y": [1]}),
            "MinMax of x would overwrite y, which the rows have already",
        ),
        (MinMax("x"), pa.table([[1], [2]], names=["x", "x"]), "found the columns x, x; expected x once"),
        (MinMax("x"), pa.table({"x": [1], "y": [[1]]}), "y: found list<.*>, expected a plain type"),
    ],
)
def test_a_training_split_that_a_step_cannot_fit_is_refused(step: Step, split: pa.Table, message: str) -> None:
    with pytest.raises(ContractViolationError, match=message):
        fit([step], split)
