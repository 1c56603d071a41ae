"""Fitted steps: a served row is transformed like a trained one, and what was fitted otherwise is refused."""

import json
import math
import random
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.errors import ContractViolationError
from common.training.fitting import Fitted, columns_read, columns_used, fit
from common.training.steps import Clip, DateParts, Drop, Impute, Log, MinMax, OneHot, Ordinal, Ratio, Standard
from tests.support.step_tables import INF, NAN, after, numbers, same

SCHEMA = pa.schema(
    {
        "id": pa.string(),
        "months": pa.int32(),
        "charges": pa.decimal128(12, 2),
        "score": pa.float64(),
        "visits": pa.int64(),
        "city": pa.string(),
        "plan": pa.string(),
        "active": pa.bool_(),
        "since": pa.date32(),
        "seen": pa.timestamp("us", tz="UTC"),
        "note": pa.string(),
    }
)
STEPS = (
    Impute("charges", by="mean", group="months"),
    Impute("visits", by="constant", value=0),
    Ratio("charges_per_visit", "charges", "visits", zero=-1.0),
    Clip("score", quantiles=(0.1, 0.9)),
    Impute("score", by="median", into="score_filled"),
    Standard("score"),
    Log("visits", into="visits_log"),
    MinMax("charges"),
    OneHot("city"),
    Ordinal("plan", order=("basic", "plus", "pro")),
    Ordinal("active"),
    DateParts("since"),
    DateParts("seen", parts=("dayofweek", "year")),
    Drop(("note", "since")),
)
FLOATS = st.floats(-1e6, 1e6) | st.sampled_from([NAN, INF, -INF, -0.0, 0.0])
ROW = st.fixed_dictionaries(
    {
        "id": st.text("ab", max_size=2),
        "months": st.none() | st.integers(0, 3),
        "charges": st.none() | st.decimals(-1000, 10**9, places=2),
        "score": st.none() | FLOATS,
        "visits": st.none() | st.integers(0, 2**40),
        "city": st.none() | st.sampled_from(["Zürich", "Bern", "Bank (x)", "", "Chur"]),
        "plan": st.none() | st.sampled_from(["basic", "plus", "pro", "new"]),
        "active": st.none() | st.booleans(),
        "since": st.none() | st.dates(date(1900, 1, 1), date(2200, 1, 1)),
        "seen": st.none() | st.datetimes(datetime(1950, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)),
        "note": st.none() | st.text("xy", max_size=3),
    }
)
FULL = {
    "id": "z",
    "months": 1,
    "charges": Decimal("9.99"),
    "score": 0.5,
    "visits": 3,
    "city": "Bern",
    "plan": "basic",
    "active": True,
    "since": date(2026, 1, 5),
    "seen": datetime(2026, 1, 5, 12, tzinfo=UTC),
    "note": None,
}
TRAINING = st.lists(ROW, min_size=1, max_size=12).map(lambda rows: [FULL, *rows])
Rows = list[dict[str, Any]]


def table(rows: Rows) -> pa.Table:
    return pa.Table.from_pylist(rows, SCHEMA)


@settings(max_examples=75)
@given(TRAINING, st.lists(ROW, max_size=6))
def test_a_served_row_equals_its_table_row(train: Rows, later: Rows) -> None:
    fitted = fit(STEPS, table(train))
    stored = Fitted.from_json(fitted.to_json())
    assert stored == fitted
    assert stored.to_json() == fitted.to_json()
    for rows in (train, later):
        whole = fitted.apply(table(rows))
        assert whole.schema == fitted.output_schema == stored.output_schema
        assert same(whole.to_pylist(), [stored.apply_row(row) for row in rows])


@given(TRAINING, st.randoms(use_true_random=False), st.integers(1, 5))
def test_fitting_does_not_depend_on_row_order_or_chunks(train: Rows, chance: random.Random, size: int) -> None:
    mixed = chance.sample(train, len(train))
    chunks = pa.concat_tables([table(mixed[at : at + size]) for at in range(0, len(mixed), size)])
    assert chunks.column("id").num_chunks == math.ceil(len(train) / size)
    assert fit(STEPS, chunks).to_json() == fit(STEPS, table(train)).to_json()


def test_fitted_sums_do_not_depend_on_rounding_order() -> None:
    values = [1e16, 1.0, -1e16, 0.1, 3.3, 7e15] * 3
    backwards = numbers(*reversed(values))
    for step in (Standard("x"), Impute("x", by="mean")):
        assert fit([step], numbers(*values)).params == fit([step], backwards).params


def test_a_fitted_zero_has_no_sign() -> None:
    for step in (Impute("x", by="median"), MinMax("x"), Clip("x", quantiles=(0.0, 1.0))):
        one, other = fit([step], numbers(-0.0, 0.0)), fit([step], numbers(0.0, -0.0))
        assert one.to_json() == other.to_json()


def test_tables_batches_and_slices_transform_alike() -> None:
    rows = [FULL | {"visits": number, "city": "Chur" if number % 2 else None} for number in range(6)]
    fitted, whole = fit(STEPS, table(rows)), table(rows)
    expected = fitted.apply(whole)
    chunks = pa.concat_tables([whole.slice(0, 1), whole.slice(1, 4), whole.slice(5)])
    assert fitted.apply(chunks).equals(expected)
    assert fitted.apply(whole.to_batches()[0]).equals(expected)
    assert fitted.apply(whole.slice(2, 3)).equals(expected.slice(2, 3))


def test_applying_does_not_change_fitted_steps() -> None:
    fitted = fit(STEPS, table([FULL, FULL | {"visits": 9}]))
    before = fitted.to_json()
    fitted.apply(table([FULL | {"visits": 900, "city": "Chur"}]))
    assert fitted.to_json() == before


def test_later_steps_see_the_output_of_earlier_ones() -> None:
    steps = [Clip("x", high=10), Impute("x", by="mean"), MinMax("x", into="y"), Ratio("z", "y", "x")]
    found = after(steps, numbers(0, 1000, None))
    assert found == {"x": [0, 10, 5], "y": [0, 1, 0.5], "z": [0, 0.1, 0.1]}


def test_columns_without_a_step_pass_through() -> None:
    fitted = fit([MinMax("x")], pa.table({"key": ["a", "b"], "x": [1, 3], "label": [0, 1]}))
    served = pa.table({"more": pa.array([[1], None]), "x": [2, 3], "key": pa.array([7, 8])})
    assert fitted.apply(served).to_pydict() == {"key": [7, 8], "x": [0.5, 1.0], "more": [[1], None]}
    assert fitted.apply_row({"more": [1], "x": 2}) == {"more": [1], "x": 0.5}


def test_output_columns_keep_the_order_of_fitting() -> None:
    fitted = fit([OneHot("x")], pa.table({"key": ["a", "b"], "x": ["p", "q"], "n": [1, 2]}))
    assert [*fitted.apply_row({"n": 1, "x": "p", "key": "c"})] == ["key", "n", "x_q"]
    assert fitted.apply(pa.table({"n": [1], "x": ["p"], "key": ["c"]})).column_names == ["key", "n", "x_q"]


def test_fitted_steps_name_their_input_columns() -> None:
    fitted = fit(STEPS, table([FULL]))
    assert fitted.reads == ("charges", "months", "visits", "score", "city", "plan", "active", "since", "seen")
    assert columns_read(STEPS) == fitted.reads
    needed = {name: FULL[name] for name in fitted.reads}
    assert fitted.apply_row(needed).items() <= fitted.apply_row(FULL).items()


def test_fitted_steps_name_their_output_before_any_row() -> None:
    split = pa.table({"x": ["a", "b"], "day": [date(2026, 1, 5)] * 2, "n": [1, 2]})
    steps = [Ordinal("x", into="o"), OneHot("x"), DateParts("day", parts=("year",)), Drop(("day",)), Log("n", into="l")]
    types = {"n": pa.int64(), "o": pa.int32(), "x_b": pa.int32(), "day_year": pa.int32(), "l": pa.float64()}
    assert fit(steps, split).output_schema == pa.schema(types)


def test_the_stored_text_is_plain_json() -> None:
    fitted = fit([MinMax("x")], pa.table({"x": pa.array([Decimal("1.50"), Decimal("4.50")], pa.decimal128(12, 2))}))
    assert json.loads(fitted.to_json()) == {
        "format": 1,
        "columns": [{"name": "x", "type": "decimal128(12, 2)"}],
        "steps": [
            {
                "step": "MinMax",
                "declared": {"column": "x", "into": None, "clip": False},
                "fitted": {"low": 1.5, "span": 3.0},
            }
        ],
    }


def test_rows_unlike_those_fitted_on_are_refused() -> None:
    fitted = fit([MinMax("x")], pa.table({"x": [1, 3], "key": ["a", "b"]}))
    with pytest.raises(ContractViolationError, match=r"found the columns key; expected x \(int64\) too"):
        fitted.apply(pa.table({"key": ["a"]}))
    with pytest.raises(ContractViolationError, match="x: found double, expected int64"):
        fitted.apply(pa.table({"x": [1.0]}))
    with pytest.raises(ContractViolationError, match=r"found the columns key; expected x \(int64\) too"):
        fitted.apply_row({"key": "a"})


@pytest.mark.parametrize("value", ["secret", 1.5, 2**70, [1]])
def test_a_value_of_another_type_is_refused_without_showing_it(value: Any) -> None:
    fitted = fit([MinMax("x")], pa.table({"x": [1, 3]}))
    with pytest.raises(ContractViolationError, match=f"x: found a {type(value).__name__} that is no int64") as refused:
        fitted.apply_row({"x": value})
    assert str(value) not in str(refused.value)
    assert refused.value.__suppress_context__


def test_a_timestamp_is_not_taken_for_a_date() -> None:
    fitted = fit([DateParts("d", parts=("day",))], pa.table({"d": [date(2026, 1, 5)]}))
    assert fitted.apply_row({"d": date(2026, 1, 6)})["d_day"] == 6
    with pytest.raises(ContractViolationError, match="d: found a datetime that is no date32"):
        fitted.apply_row({"d": datetime(2026, 1, 6, 12)})


def test_steps_stored_by_other_code_are_refused() -> None:
    text = fit([MinMax("x")], numbers(1, 2)).to_json()
    with pytest.raises(ContractViolationError, match="format 2, expected 1"):
        Fitted.from_json(text.replace('"format": 1', '"format": 2'))
    for unknown in ("Whiten", "PARTS", "pa"):
        with pytest.raises(ContractViolationError, match=f"with a {unknown}, expected a step that this code knows"):
            Fitted.from_json(text.replace("MinMax", unknown))


def test_fitted_steps_can_be_compared() -> None:
    fitted = fit([MinMax("x")], numbers(1, 2))
    assert fitted == fit([MinMax("x")], numbers(2, 1))
    assert fitted != replace(fitted, params=({"low": 1.0, "span": 2.0},))


def test_only_used_columns_are_needed_to_fit() -> None:
    steps = (Impute("age", by="median", group="city"), Drop(("note",)))
    whole = pa.table({"id": [1, 2, 3], "age": [30, None, 50], "city": ["Bonn", "Ulm", "Ulm"], "note": ["a", "b", "c"]})
    used = columns_used(steps)
    assert used == {"age", "city", "note"}
    assert fit(steps, whole.select([*used]), whole.schema).to_json() == fit(steps, whole).to_json()


def test_a_step_may_not_write_over_a_column_that_nothing_uses() -> None:
    whole = pa.table({"id": [1, 2], "age": [30, 50], "age_old": [1, 2]})
    step = Impute("age", by="median", into="age_old")
    with pytest.raises(ContractViolationError, match="would overwrite age_old"):
        fit((step,), whole.select(["age"]), whole.schema)
