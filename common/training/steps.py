"""The preprocessing steps that a training set may declare; `common.training.fitting` fits and applies them.

Null and NaN both count as missing: steps do not learn from missing values and write null for them, unless the step
says otherwise. Steps do not learn from infinite numbers, but transform them like any other. Steps over numbers accept
floats, integers, decimals and booleans, and write doubles.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt

from common.errors import ContractViolationError, require
from common.training import step_base
from common.training.number_steps import Clip, Log, MinMax, Ratio, Standard
from common.training.step_base import Columns, ColumnStep, InPlaceStep, Numbers, Params, Step, Value

__all__ = ["Clip", "DateParts", "Drop", "Impute", "Log", "MinMax", "OneHot", "Ordinal", "Ratio", "Standard"]

PARTS = ("year", "month", "day", "dayofweek", "quarter")


@dataclass(frozen=True)
class Impute(InPlaceStep):
    """Fill missing values with the median, the mean or a constant.

    With a group, use the statistic of the row's group. For a null group, or one without values in the train split, use
    the median of all rows, also by mean; `fallback` may be their mean instead, or "missing": the value stays missing.
    """

    by: Literal["median", "mean", "constant"]
    group: str | None = None
    value: Value | None = None
    fallback: Literal["median", "mean", "missing"] = field(default="median", kw_only=True, metadata=step_base.ADDED)

    def __post_init__(self) -> None:
        super().__post_init__()
        require(
            (self.by == "constant") == (self.value is not None),
            f"{self.name}: by {self.by!r} with value {self.value}; expected a value for by='constant' alone",
        )
        require(
            not (self.by == "constant" and self.group),
            f"{self.name}: by constant and by group {self.group}; declare one of them",
        )
        require(
            self.fallback == "median" or self.group is not None,
            f"{self.name}: fallback {self.fallback} is for groups, but no group is declared; declare one",
        )
        require(
            self.group not in (self.column, *self.writes),
            f"{self.name}: group {self.group} is the column it fills; name another",
        )

    def __repr__(self) -> str:
        return f"Impute({', '.join(f'{name}={value!r}' for name, value in self.declared.items())})"

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
        groups = self.grouped(columns, self.column, self.group)
        return {
            "groups": [*groups],
            "values": [middle(numbers) for numbers in groups.values()],
            "value": self._of_all(known),
        }

    def _of_all(self, known: Numbers) -> float | None:
        if self.fallback == "missing":
            return None
        return step_base.mean(known) if self.fallback == "mean" else step_base.median(known)

    def apply(self, columns: Columns, params: Params) -> Columns:
        column = columns[self.column]
        if self.by == "constant" and not (pt.is_floating(column.type) or pt.is_decimal(column.type)):
            # Strings, booleans and integers keep their type.
            return {self.writes[0]: pc.fill_null(column, self.typed([params["value"]], column.type)[0])}
        numbers = self.numbers(columns, self.column)
        fill: Any = self.typed([params["value"]], pa.float64())[0].as_py()
        if self.group:
            # Unknown groups have place -1, so they take the last value.
            fill = np.array([*params["values"], fill], np.float64)[self.places(columns, self.group, params["groups"])]
        return {self.writes[0]: step_base.written(np.where(np.isnan(numbers), fill, numbers))}


@dataclass(frozen=True)
class OneHot(ColumnStep):
    """Replace the column with a column of 0 and 1 for each category.

    Null and categories missing from the train split are 0 in every column, or an error if `unseen` is "error". With
    `drop_first`, the first category is 0 in every column too.
    """

    drop_first: bool = True
    unseen: Literal["zeros", "error"] = "zeros"

    @property
    def removes(self) -> tuple[str, ...]:
        return (self.column,)

    def fit(self, columns: Columns) -> Params:
        categories = self.categories(columns, self.column)
        names = [f"{self.column}_{step_base.plain(category)}" for category in categories]
        if twice := step_base.repeated(names):
            raise ContractViolationError(f"{self.name}: several categories would be called {twice}; rename one of them")
        return {"categories": categories, "columns": names}

    def apply(self, columns: Columns, params: Params) -> Columns:
        places = self.places(columns, self.column, params["categories"])
        unseen = int(np.count_nonzero(places < 0))
        if unseen and self.unseen == "error":
            raise ContractViolationError(
                f"{self.name}: found {unseen} values that are null or not in the train split; expected categories seen there"
            )
        columns_by_place = list(enumerate(params["columns"]))[self.drop_first :]
        return {name: pa.array((places == at).astype(np.int32)) for at, name in columns_by_place}


@dataclass(frozen=True)
class Ordinal(InPlaceStep):
    """Number the categories from 0, in the declared or in sorted order; null and other values become `unseen`."""

    order: tuple[Value, ...] | None = None
    unseen: int = -1

    def __post_init__(self) -> None:
        super().__post_init__()
        twice = step_base.repeated(self.order or ())
        require(self.order != (), f"{self.name}: the order is empty")
        require(not twice, f"{self.name}: {twice} appear twice in the order {self.order}")
        require(
            self.unseen < 0, f"{self.name}: unseen {self.unseen} could be a category's code; expected a negative number"
        )

    def fit(self, columns: Columns) -> Params:
        categories = self.categories(columns, self.column)
        return {"categories": categories if self.order is None else list(self.order)}

    def apply(self, columns: Columns, params: Params) -> Columns:
        places = self.places(columns, self.column, params["categories"])
        return {self.writes[0]: pa.array(np.where(places < 0, np.int32(self.unseen), places))}


@dataclass(frozen=True)
class DateParts(ColumnStep):
    """Write parts of a date or timestamp beside the column, as `<column>_<part>`; dayofweek 1 is Monday."""

    parts: tuple[str, ...] = PARTS

    def __post_init__(self) -> None:
        super().__post_init__()
        unknown, twice = [part for part in self.parts if part not in PARTS], step_base.repeated(self.parts)
        require(bool(self.parts), f"{self.name}: no parts")
        require(not unknown, f"{self.name}: parts {unknown} are not among {', '.join(PARTS)}")
        require(not twice, f"{self.name}: {twice} appear twice in the parts {self.parts}")

    @property
    def writes(self) -> tuple[str, ...]:
        return tuple(f"{self.column}_{part}" for part in self.parts)

    def apply(self, columns: Columns, params: Params) -> Columns:
        column = columns[self.column]
        if not (pt.is_date(column.type) or pt.is_timestamp(column.type)):
            raise ContractViolationError(f"{self.name}: {self.column} is {column.type}, expected dates or timestamps")
        return {name: step_base.part_of(column, part) for name, part in zip(self.writes, self.parts, strict=True)}


@dataclass(frozen=True)
class Drop(Step):
    """Remove columns; rows that are served need not have them."""

    columns: tuple[str, ...]

    def __post_init__(self) -> None:
        super().__post_init__()
        require(bool(self.columns), "Drop: no columns")

    @property
    def removes(self) -> tuple[str, ...]:
        return self.columns
