"""Preprocessing steps over numbers: scaling, logarithm, clipping and ratios. Declare them from `common.training.steps`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from common.errors import ContractViolationError, require
from common.training import step_base
from common.training.step_base import Columns, Numbers, NumberStep, Params, Step


# Written here because a library's scalers can't be rebuilt from plain JSON.
@dataclass(frozen=True)
class MinMax(NumberStep):
    """Scale the range of the train split to 0..1; values outside it stay outside unless `clip`. A constant becomes 0."""

    clip: bool = False

    def learn(self, known: Numbers) -> Params:
        return {"low": float(known[0]), "span": float(known[-1] - known[0])}

    def transform(self, numbers: Numbers, params: Params) -> Numbers:
        scaled = step_base.per(numbers - params["low"], params["span"])
        return np.clip(scaled, 0.0, 1.0) if self.clip else scaled


@dataclass(frozen=True)
class Standard(NumberStep):
    """Subtract the mean of the train split and divide by its population deviation. A constant becomes 0."""

    def learn(self, known: Numbers) -> Params:
        return {"mean": step_base.mean(known), "deviation": step_base.deviation(known)}

    def transform(self, numbers: Numbers, params: Params) -> Numbers:
        return step_base.per(numbers - params["mean"], params["deviation"])


@dataclass(frozen=True)
class Log(NumberStep):
    """log(1 + x). Raises on a value of -1 or less instead of writing a silent null."""

    def fit(self, columns: Columns) -> Params:
        return {}

    def transform(self, numbers: Numbers, params: Params) -> Numbers:
        if low := int(np.count_nonzero(numbers <= -1)):
            raise ContractViolationError(
                f"{self.name}: found {low} values of -1 or less; expected values above -1; add a Clip step before it"
            )
        return step_base.log1p(numbers)


@dataclass(frozen=True)
class Clip(NumberStep):
    """Clip to fixed bounds, or to two quantiles of the train split."""

    low: float | None = None
    high: float | None = None
    quantiles: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        bounds = [bound for bound in (self.low, self.high) if bound is not None]
        require(bool(bounds or self.quantiles), f"{self.name}: neither bounds nor quantiles; declare one")
        require(
            not (bounds and self.quantiles),
            f"{self.name}: both bounds {bounds} and quantiles {self.quantiles}; declare one",
        )
        require(bounds == sorted(bounds), f"{self.name}: low {self.low} is above high {self.high}; swap them")
        low, high = self.quantiles or (0, 1)
        require(0 <= low < high <= 1, f"{self.name}: quantiles {low} and {high}; expected 0 <= low < high <= 1")

    def fit(self, columns: Columns) -> Params:
        return super().fit(columns) if self.quantiles else {"low": self.low, "high": self.high}

    def learn(self, known: Numbers) -> Params:
        low, high = np.quantile(known, self.quantiles or (0, 1))
        return {"low": float(low), "high": float(high)}

    def transform(self, numbers: Numbers, params: Params) -> Numbers:
        return np.clip(numbers, params["low"], params["high"])


@dataclass(frozen=True)
class Ratio(Step):
    """Divide two columns; `zero` where the divisor is 0 or missing, else null where the numerator is missing."""

    into: str
    numerator: str
    divisor: str
    zero: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        require(
            self.numerator != self.divisor,
            f"{self.name}: {self.numerator} is both numerator and divisor; name two columns",
        )

    @property
    def reads(self) -> tuple[str, ...]:
        return (self.numerator, self.divisor)

    @property
    def writes(self) -> tuple[str, ...]:
        return (self.into,)

    def apply(self, columns: Columns, params: Params) -> Columns:
        numerator, divisor = (self.numbers(columns, name) for name in self.reads)
        return {
            self.into: step_base.written(np.where(np.isnan(divisor) | (divisor == 0), self.zero, numerator / divisor))
        }
