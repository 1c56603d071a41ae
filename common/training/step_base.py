"""Base classes of the preprocessing steps, and the arithmetic that they share."""

from __future__ import annotations

import math
import re
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt
from numpy.typing import NDArray

from common.contracts.checking.field_types import require_types
from common.contracts.wording import require_tuples
from common.errors import ContractViolationError

Columns = dict[str, Any]  # Arrow arrays or chunked arrays by name, in order
Value = str | int | float | bool
Params = dict[str, Any]  # JSON values only
Numbers = NDArray[np.float64]
Places = NDArray[np.int32]
NOT_OF_TYPE = (pa.ArrowException, OverflowError, TypeError, ValueError)
_NUMBERS = (pt.is_floating, pt.is_integer, pt.is_decimal, pt.is_boolean)
_CATEGORIES = (pt.is_string, pt.is_large_string, pt.is_integer, pt.is_boolean)


# Marks an option that a later version added. At its default it is in no stored text, so that these stay what they were.
ADDED = {"added": True}


@dataclass(frozen=True)
class Step:
    """Learns parameters from the train split, and transforms any rows with them."""

    def __post_init__(self) -> None:
        require_types(self, type(self).__name__)
        require_tuples(self, type(self).__name__)

    @property
    def declared(self) -> dict[str, Any]:
        """The declaration as it is stored."""
        values = {option.name: (option, getattr(self, option.name)) for option in fields(self)}
        return {
            name: value
            for name, (option, value) in values.items()
            if not option.metadata.get("added") or value != option.default
        }

    @property
    def name(self) -> str:
        """The step's name in messages."""
        return f"{type(self).__name__} of {', '.join(self.reads or self.removes)}"

    @property
    def reads(self) -> tuple[str, ...]:
        """The columns that the step needs."""
        return ()

    @property
    def writes(self) -> tuple[str, ...]:
        """The columns that the step writes, as far as they are known before fitting."""
        return ()

    @property
    def removes(self) -> tuple[str, ...]:
        return ()

    def fit(self, columns: Columns) -> Params:
        return {}

    def apply(self, columns: Columns, params: Params) -> Columns:
        """Return the columns that the step writes; each row is computed independently of the others."""
        return {}

    def numbers(self, columns: Columns, name: str) -> Numbers:
        """The column as doubles, with NaN for missing values."""
        column = columns[name]
        if not any(fits(column.type) for fits in _NUMBERS):
            raise ContractViolationError(f"{self.name}: {name} is {column.type}, expected numbers")
        if pt.is_decimal(column.type):
            # Arrow's cast from decimal to double can be off in the last digit; through text it is exact.
            column = column.cast(pa.string())
        if not (pt.is_floating(column.type) or pt.is_integer(column.type)):
            column = column.cast(pa.float64())
        return np.asarray(column.to_numpy(zero_copy_only=False), np.float64)

    def known(self, columns: Columns, name: str) -> Numbers:
        """The finite numbers in ascending order, so that no result depends on the order of rows."""
        known = rising(self.numbers(columns, name))
        if not len(known):
            raise ContractViolationError(
                f"{self.name}: {name} has no known value to learn from; Drop it, or fill a constant"
            )
        return known

    def categories(self, columns: Columns, name: str) -> list[Any]:
        """The distinct values in ascending order, without null."""
        if not any(fits(columns[name].type) for fits in _CATEGORIES):
            raise ContractViolationError(
                f"{self.name}: {name} is {columns[name].type}, expected words, whole numbers or booleans"
            )
        categories = sorted(pc.unique(columns[name]).drop_null().to_pylist())
        if not categories:
            raise ContractViolationError(
                f"{self.name}: {name} has no known value to learn from; Drop it, or fill a constant"
            )
        return categories

    def grouped(self, columns: Columns, name: str, group: str) -> dict[Any, Numbers]:
        """The finite numbers of each group in ascending order, without groups that have none."""
        groups = self.categories(columns, group)
        places = self.places(columns, group, groups)
        order = np.argsort(places, kind="stable")
        starts = np.searchsorted(places[order], np.arange(len(groups) + 1))
        parts = np.split(self.numbers(columns, name)[order], starts)[1:]
        numbers = {group: rising(part) for group, part in zip(groups, parts, strict=False)}
        return {group: part for group, part in numbers.items() if len(part)}

    def places(self, columns: Columns, name: str, categories: list[Any]) -> Places:
        """The index of each row's value among the categories, or -1 if it is not one of them."""
        places = pc.index_in(columns[name], value_set=self.typed(categories, columns[name].type))
        return np.asarray(places.fill_null(-1).to_numpy(zero_copy_only=False))

    def typed(self, values: list[Any], type_: pa.DataType) -> pa.Array:
        try:
            return exact(values, type_)
        except NOT_OF_TYPE:
            raise ContractViolationError(f"{self.name}: declared {values}, but the column is {type_}") from None


@dataclass(frozen=True)
class ColumnStep(Step):
    """A step over one column."""

    column: str

    @property
    def reads(self) -> tuple[str, ...]:
        return (self.column,)


@dataclass(frozen=True)
class InPlaceStep(ColumnStep):
    """A step that replaces one column, or writes the result beside it as `into`."""

    into: str | None = field(default=None, kw_only=True)

    @property
    def writes(self) -> tuple[str, ...]:
        return (self.into or self.column,)


@dataclass(frozen=True)
class NumberStep(InPlaceStep, ABC):
    """A step that transforms one column of numbers, value by value."""

    def fit(self, columns: Columns) -> Params:
        return self.learn(self.known(columns, self.column))

    def apply(self, columns: Columns, params: Params) -> Columns:
        return {self.writes[0]: written(self.transform(self.numbers(columns, self.column), params))}

    def learn(self, known: Numbers) -> Params:
        """Return the parameters for the finite numbers of the train split, which are in ascending order."""
        return {}

    @abstractmethod
    def transform(self, numbers: Numbers, params: Params) -> Numbers: ...


def exact(values: list[Any], type_: pa.DataType | None) -> pa.Array:
    """Convert to Arrow without loss, or raise an error of NOT_OF_TYPE; Arrow alone truncates 1.5 to 1 and a time to a date."""
    array = pa.array(values, type_)
    if (pt.is_integer(array.type) or pt.is_date(array.type)) and array.to_pylist() != values:
        raise ValueError(f"not all are {type_}")
    return array


def written(numbers: Numbers) -> pa.Array:
    return pa.array(numbers, mask=np.isnan(numbers))


def rising(numbers: Numbers) -> Numbers:
    # Adding 0.0 turns -0.0 into 0.0: they compare equal, so their order would depend on the rows.
    return np.sort(numbers[np.isfinite(numbers)] + 0.0)


def mean(known: Numbers) -> float:
    """The mean by an exact sum, which does not depend on the order."""
    return math.fsum(known) / len(known)


def median(known: Numbers) -> float:
    return float(np.median(known))


def deviation(known: Numbers) -> float:
    # The mean of equal numbers can differ from them in the last digit.
    if known[0] == known[-1]:
        return 0.0
    differences = known - mean(known)
    widest = float(np.max(np.abs(differences)))
    return widest * math.sqrt(mean((differences / widest) ** 2))


def per(differences: Numbers, width: float) -> Numbers:
    """Divide by the width; a width of 0 (a constant column) gives 0."""
    return differences / width if width else np.where(np.isnan(differences), np.nan, 0.0)


def log1p(numbers: Numbers) -> Numbers:
    # Use Arrow's log1p: NumPy's last digit can vary with the processor and the array's length.
    return np.asarray(pc.log1p(pa.array(numbers)).to_numpy(zero_copy_only=False))


def part_of(dates: Any, part: str) -> Any:
    if part == "dayofweek":
        return pc.day_of_week(dates, count_from_zero=False, week_start=1).cast(pa.int32())
    return getattr(pc, part)(dates).cast(pa.int32())


def plain(category: Value) -> str:
    """The category spelled so that it can be part of a column name."""
    return re.sub(r"[^a-z0-9]+", "_", str(category).lower()).rstrip("_")


def repeated(values: Sequence[Value]) -> list[Value]:
    return [value for value, count in Counter(values).items() if count > 1]
