"""The preprocessing steps that a training set may declare; `common.training.fitting` fits and applies them.

A null and a NaN are one thing here, missing: nothing is learnt from it, and what a step makes of it is null, unless the
step says otherwise. Nothing is learnt from infinite numbers either; they are applied to like any other. Steps over
numbers take whole ones, decimals and booleans too, and write doubles.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt

from common.errors import ContractViolationError, require
from common.training import step_base
from common.training.step_base import Columns, ColumnStep, InPlaceStep, Numbers, NumberStep, Params, Step, Value

PARTS = ("year", "month", "day", "dayofweek", "quarter")


# A library's scalers can't be built again from plain JSON; these can.
@dataclass(frozen=True)
class MinMax(NumberStep):
    """To 0..1 over the training split; values outside its range stay outside unless `clip`. A constant becomes 0."""

    clip: bool = False

    def learn(self, known: Numbers) -> Params:
        return {"low": float(known[0]), "span": float(known[-1] - known[0])}

    def made(self, numbers: Numbers, params: Params) -> Numbers:
        scaled = step_base.per(numbers - params["low"], params["span"])
        return np.clip(scaled, 0.0, 1.0) if self.clip else scaled


@dataclass(frozen=True)
class Standard(NumberStep):
    """Population deviations from the mean of the training split. A constant becomes 0."""

    def learn(self, known: Numbers) -> Params:
        return {"mean": step_base.mean(known), "deviation": step_base.deviation(known)}

    def made(self, numbers: Numbers, params: Params) -> Numbers:
        return step_base.per(numbers - params["mean"], params["deviation"])


@dataclass(frozen=True)
class Log(NumberStep):
    """log(1 + x). A value of -1 or less is refused in any rows, rather than made a null that nobody sees."""

    def fit(self, columns: Columns) -> Params:
        return {}

    def made(self, numbers: Numbers, params: Params) -> Numbers:
        if low := int(np.count_nonzero(numbers <= -1)):
            raise ContractViolationError(
                f"{self.name}: found {low} of -1 or less, expected more than -1; Clip them first"
            )
        return step_base.log1p(numbers)


@dataclass(frozen=True)
class Clip(NumberStep):
    """Into fixed bounds, or into two quantiles of the training split."""

    low: float | None = None
    high: float | None = None
    quantiles: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        bounds = [each for each in (self.low, self.high) if each is not None]
        require(bool(bounds or self.quantiles), f"{self.name}: neither bounds nor quantiles")
        require(not (bounds and self.quantiles), f"{self.name}: both bounds {bounds} and quantiles {self.quantiles}")
        require(all(math.isfinite(each) for each in bounds), f"{self.name}: bounds {bounds} are not finite")
        require(bounds == sorted(bounds), f"{self.name}: low {self.low} is over high {self.high}")
        low, high = self.quantiles or (0, 1)
        require(0 <= low < high <= 1, f"{self.name}: quantiles {low} and {high} do not rise within 0..1")

    def fit(self, columns: Columns) -> Params:
        return super().fit(columns) if self.quantiles else {"low": self.low, "high": self.high}

    def learn(self, known: Numbers) -> Params:
        low, high = np.quantile(known, self.quantiles or (0, 1))
        return {"low": float(low), "high": float(high)}

    def made(self, numbers: Numbers, params: Params) -> Numbers:
        return np.clip(numbers, params["low"], params["high"])


@dataclass(frozen=True)
class Impute(InPlaceStep):
    """What is missing becomes the median, the mean or a constant. With a group, that of the rows of the same group; where
    the training split knows none of them, or the group is null, the median of all."""

    by: Literal["median", "mean", "constant"]
    group: str | None = None
    value: Value | None = None

    def __post_init__(self) -> None:
        require(self.by in ("median", "mean", "constant"), f"{self.name}: by {self.by}, not median, mean or constant")
        require((self.by == "constant") == (self.value is not None), f"{self.name}: by {self.by}, value {self.value}")
        require(not (self.by == "constant" and self.group), f"{self.name}: by constant, and by group {self.group}")
        require(self.group not in (self.column, *self.writes), f"{self.name}: group {self.group} is what it fills")

    @property
    def reads(self) -> tuple[str, ...]:
        return (self.column, self.group) if self.group else (self.column,)

    def fit(self, columns: Columns) -> Params:
        if self.by == "constant":
            return {"value": self.value}
        known = self.known(columns, self.column)
        middle = step_base.mean if self.by == "mean" else step_base.median
        if not self.group:
            return {"value": middle(known)}
        found = self.grouped(columns, self.column, self.group)
        return {
            "groups": [*found],
            "values": [middle(each) for each in found.values()],
            "value": step_base.median(known),
        }

    def apply(self, columns: Columns, params: Params) -> Columns:
        column = columns[self.column]
        if self.by == "constant" and not (pt.is_floating(column.type) or pt.is_decimal(column.type)):
            # Words, booleans and whole numbers keep their type.
            return {self.writes[0]: pc.fill_null(column, self.typed([params["value"]], column.type)[0])}
        numbers = self.numbers(columns, self.column)
        fill: Any = self.typed([params["value"]], pa.float64())[0].as_py()
        if self.group:
            # The last is for those without a place, which is -1.
            fill = np.array([*params["values"], fill])[self.places(columns, self.group, params["groups"])]
        return {self.writes[0]: step_base.written(np.where(np.isnan(numbers), fill, numbers))}


@dataclass(frozen=True)
class OneHot(ColumnStep):
    """A column of 0 and 1 for each category instead of the column. What was not there in training, and null, is 0 in all of
    them, as is the first category if dropped; or an error."""

    drop_first: bool = True
    unseen: Literal["zeros", "error"] = "zeros"

    def __post_init__(self) -> None:
        require(self.unseen in ("zeros", "error"), f"{self.name}: unseen {self.unseen} is neither zeros nor error")

    @property
    def removes(self) -> tuple[str, ...]:
        return (self.column,)

    def fit(self, columns: Columns) -> Params:
        categories = self.categories(columns, self.column)
        names = [f"{self.column}_{step_base.plain(each)}" for each in categories]
        if twice := step_base.repeated(names):
            raise ContractViolationError(
                f"{self.name}: several categories would be called {twice}; spell them otherwise"
            )
        return {"categories": categories, "columns": names}

    def apply(self, columns: Columns, params: Params) -> Columns:
        places = self.places(columns, self.column, params["categories"])
        unseen = int(np.count_nonzero(places < 0))
        if unseen and self.unseen == "error":
            raise ContractViolationError(f"{self.name}: found {unseen} values, or nulls, that training did not have")
        named = list(enumerate(params["columns"]))[self.drop_first :]
        return {name: pa.array((places == at).astype(np.int32)) for at, name in named}


@dataclass(frozen=True)
class Ordinal(InPlaceStep):
    """The place of each category, from 0, in the declared order or the alphabet's; `unseen` for any other, and null."""

    order: tuple[Value, ...] | None = None
    unseen: int = -1

    def __post_init__(self) -> None:
        twice = step_base.repeated(self.order or ())
        require(self.order != (), f"{self.name}: an order of nothing")
        require(not twice, f"{self.name}: {twice} stand twice in the order {self.order}")
        require(self.unseen < 0, f"{self.name}: unseen {self.unseen} may be a category's place; they are 0 and up")

    def fit(self, columns: Columns) -> Params:
        found = self.categories(columns, self.column)
        return {"categories": found if self.order is None else list(self.order)}

    def apply(self, columns: Columns, params: Params) -> Columns:
        places = self.places(columns, self.column, params["categories"])
        return {self.writes[0]: pa.array(np.where(places < 0, np.int32(self.unseen), places))}


@dataclass(frozen=True)
class DateParts(ColumnStep):
    """Parts of a date or time, as `<column>_<part>`, beside the column; of dayofweek 1 is Monday."""

    parts: tuple[str, ...] = PARTS

    def __post_init__(self) -> None:
        unknown, twice = [part for part in self.parts if part not in PARTS], step_base.repeated(self.parts)
        require(bool(self.parts), f"{self.name}: no parts")
        require(not unknown, f"{self.name}: parts {unknown} are none of {', '.join(PARTS)}")
        require(not twice, f"{self.name}: {twice} stand twice in the parts {self.parts}")

    @property
    def writes(self) -> tuple[str, ...]:
        return tuple(f"{self.column}_{part}" for part in self.parts)

    def apply(self, columns: Columns, params: Params) -> Columns:
        column = columns[self.column]
        if not (pt.is_date(column.type) or pt.is_timestamp(column.type)):
            raise ContractViolationError(f"{self.name}: {self.column} is {column.type}, expected dates or timestamps")
        return {name: step_base.part_of(column, part) for name, part in zip(self.writes, self.parts, strict=True)}


@dataclass(frozen=True)
class Ratio(Step):
    """Of two columns; `zero` where the divisor is 0 or missing, else null where the numerator is missing."""

    into: str
    numerator: str
    divisor: str
    zero: float = 0.0

    def __post_init__(self) -> None:
        require(self.numerator != self.divisor, f"{self.name}: {self.numerator} is both numerator and divisor")
        require(math.isfinite(self.zero), f"{self.name}: zero {self.zero} is not finite")

    @property
    def reads(self) -> tuple[str, ...]:
        return (self.numerator, self.divisor)

    @property
    def writes(self) -> tuple[str, ...]:
        return (self.into,)

    def apply(self, columns: Columns, params: Params) -> Columns:
        over, by = (self.numbers(columns, name) for name in self.reads)
        return {self.into: step_base.written(np.where(np.isnan(by) | (by == 0), self.zero, over / by))}


@dataclass(frozen=True)
class Drop(Step):
    """Columns that go no further; rows to be served need not have them."""

    columns: tuple[str, ...]

    def __post_init__(self) -> None:
        require(not isinstance(self.columns, str), f"Drop: {self.columns} is one text; expected a tuple of names")
        require(bool(self.columns), "Drop: no columns")

    @property
    def removes(self) -> tuple[str, ...]:
        return self.columns
