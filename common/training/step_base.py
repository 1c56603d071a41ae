"""What a preprocessing step is, and how it reads columns and writes them."""

from __future__ import annotations

import math
import re
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt
from numpy.typing import NDArray

from common.errors import ContractViolationError

Columns = dict[str, Any]  # by name, in order: Arrow's arrays, whole or in chunks
Value = str | int | float | bool
Params = dict[str, Any]  # what JSON can say, no more
Numbers = NDArray[np.float64]
Places = NDArray[np.int32]
NOT_OF_TYPE = (pa.ArrowException, OverflowError, TypeError, ValueError)
_NUMBERS = (pt.is_floating, pt.is_integer, pt.is_decimal, pt.is_boolean)
_CATEGORIES = (pt.is_string, pt.is_large_string, pt.is_integer, pt.is_boolean)


@dataclass(frozen=True)
class Step:
    """What it learns from the training split, and what it makes of any rows with that."""

    @property
    def name(self) -> str:
        """How messages call it."""
        return f"{type(self).__name__} of {', '.join(self.reads or self.removes)}"

    @property
    def reads(self) -> tuple[str, ...]:
        """The columns that rows must have for it."""
        return ()

    @property
    def writes(self) -> tuple[str, ...]:
        """The columns that it makes, as far as that is known before fitting."""
        return ()

    @property
    def removes(self) -> tuple[str, ...]:
        return ()

    def fit(self, columns: Columns) -> Params:
        return {}

    def apply(self, columns: Columns, params: Params) -> Columns:
        """The columns that it writes, row for row: no row may depend on another."""
        return {}

    def numbers(self, columns: Columns, name: str) -> Numbers:
        """As doubles, NaN where missing."""
        column = columns[name]
        if not any(fits(column.type) for fits in _NUMBERS):
            raise ContractViolationError(f"{self.name}: {name} is {column.type}, expected numbers")
        if pt.is_decimal(column.type):
            # Arrow's own cast to double may be a last digit off; by way of text it is the nearest double.
            column = column.cast(pa.string())
        if not (pt.is_floating(column.type) or pt.is_integer(column.type)):
            column = column.cast(pa.float64())
        return np.asarray(column.to_numpy(zero_copy_only=False), np.float64)

    def known(self, columns: Columns, name: str) -> Numbers:
        """The finite numbers in rising order, so that nothing can depend on the order of rows."""
        found = rising(self.numbers(columns, name))
        if not len(found):
            raise ContractViolationError(
                f"{self.name}: {name} has no known value to learn from; Drop it, or fill a constant"
            )
        return found

    def categories(self, columns: Columns, name: str) -> list[Any]:
        """The different values in rising order, without null."""
        if not any(fits(columns[name].type) for fits in _CATEGORIES):
            raise ContractViolationError(
                f"{self.name}: {name} is {columns[name].type}, expected words, whole numbers or booleans"
            )
        found = sorted(pc.unique(columns[name]).drop_null().to_pylist())
        if not found:
            raise ContractViolationError(
                f"{self.name}: {name} has no known value to learn from; Drop it, or fill a constant"
            )
        return found

    def grouped(self, columns: Columns, name: str, group: str) -> dict[Any, Numbers]:
        """The finite numbers of each group in rising order, without groups that have none."""
        groups = self.categories(columns, group)
        places = self.places(columns, group, groups)
        order = np.argsort(places, kind="stable")
        starts = np.searchsorted(places[order], np.arange(len(groups) + 1))
        parts = np.split(self.numbers(columns, name)[order], starts)[1:]
        found = {group: rising(part) for group, part in zip(groups, parts, strict=False)}
        return {group: part for group, part in found.items() if len(part)}

    def places(self, columns: Columns, name: str, categories: list[Any]) -> Places:
        """Of each row the place of its value among the categories, -1 where it has none."""
        places = pc.index_in(columns[name], value_set=self.typed(categories, columns[name].type))
        return np.asarray(places.fill_null(-1).to_numpy(zero_copy_only=False))

    def typed(self, values: list[Any], type_: pa.DataType) -> pa.Array:
        try:
            return exact(values, type_)
        except NOT_OF_TYPE:
            raise ContractViolationError(f"{self.name}: declared {values}, but the column is {type_}") from None


@dataclass(frozen=True)
class ColumnStep(Step):
    """Of one column."""

    column: str

    @property
    def reads(self) -> tuple[str, ...]:
        return (self.column,)


@dataclass(frozen=True)
class InPlaceStep(ColumnStep):
    """One column made another, in its place or beside it as `into`."""

    into: str | None = field(default=None, kw_only=True)

    @property
    def writes(self) -> tuple[str, ...]:
        return (self.into or self.column,)


@dataclass(frozen=True)
class NumberStep(InPlaceStep, ABC):
    """One column of numbers, each made another."""

    def fit(self, columns: Columns) -> Params:
        return self.learn(self.known(columns, self.column))

    def apply(self, columns: Columns, params: Params) -> Columns:
        return {self.writes[0]: written(self.made(self.numbers(columns, self.column), params))}

    def learn(self, known: Numbers) -> Params:
        """From the finite numbers of the training split, rising."""
        return {}

    @abstractmethod
    def made(self, numbers: Numbers, params: Params) -> Numbers: ...


def exact(values: list[Any], type_: pa.DataType | None) -> pa.Array:
    """As Arrow has them, or an error of NOT_OF_TYPE; Arrow alone would cut 1.5 to the integer 1, a time to its date."""
    array = pa.array(values, type_)
    if (pt.is_integer(array.type) or pt.is_date(array.type)) and array.to_pylist() != values:
        raise ValueError(f"not all are {type_}")
    return array


def written(numbers: Numbers) -> pa.Array:
    return pa.array(numbers, mask=np.isnan(numbers))


def rising(numbers: Numbers) -> Numbers:
    # Adding 0.0 makes -0.0 a 0.0: the two are equal, so their order would be that of the rows.
    return np.sort(numbers[np.isfinite(numbers)] + 0.0)


def mean(known: Numbers) -> float:
    """The sum is exact, whatever the order."""
    return math.fsum(known) / len(known)


def median(known: Numbers) -> float:
    return float(np.median(known))


def deviation(known: Numbers) -> float:
    # The mean of equal numbers may be a last digit off them.
    if known[0] == known[-1]:
        return 0.0
    apart = known - mean(known)
    widest = float(np.max(np.abs(apart)))
    return widest * math.sqrt(mean((apart / widest) ** 2))


def per(apart: Numbers, width: float) -> Numbers:
    """Where all were equal, there is no width, and nothing is apart."""
    return apart / width if width else np.where(np.isnan(apart), np.nan, 0.0)


def log1p(numbers: Numbers) -> Numbers:
    # Arrow's goes value by value; NumPy's may differ in the last digit with the processor and the length.
    return np.asarray(pc.log1p(pa.array(numbers)).to_numpy(zero_copy_only=False))


def part_of(dates: Any, part: str) -> Any:
    if part == "dayofweek":
        return pc.day_of_week(dates, count_from_zero=False, week_start=1).cast(pa.int32())
    return getattr(pc, part)(dates).cast(pa.int32())


def plain(category: Value) -> str:
    """As it may stand in a column's name."""
    return re.sub(r"[^a-z0-9]+", "_", str(category).lower()).rstrip("_")


def repeated(values: Sequence[Value]) -> list[Value]:
    return [value for value, count in Counter(values).items() if count > 1]
