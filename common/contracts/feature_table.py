"""A feature table as a contract declares it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from common.contracts.aggregates import Aggregate, FeatureRatio, Windowed
from common.contracts.checking.field_types import require_types
from common.contracts.column import Column
from common.errors import require

FEATURE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True)
class Feature:
    """A feature: its name and how it is computed."""

    name: str
    rule: Aggregate

    def __post_init__(self) -> None:
        named = isinstance(self.name, str) and FEATURE_NAME.fullmatch(self.name) is not None
        require(named, f"feature {self.name!r}: a name is letters, digits and _, and begins with no digit; rename it")
        fits, what = isinstance(self.rule, Aggregate), f"feature {self.name!r}: {self.rule!r}"
        require(fits, f"{what} is not an aggregate; expected one like Count(7)")


@dataclass(frozen=True, kw_only=True)
class Features:
    """A feature table with one row per entity and ds. A changed definition needs a new version."""

    version: int
    entity: str
    columns: tuple[Feature, ...]
    # Columns that `transforms.measure` adds to processed rows, for features only.
    measures: tuple[Column, ...] = ()

    def __post_init__(self) -> None:
        require_types(self, "features")

    @property
    def reads(self) -> frozenset[str]:
        """The columns that the features are computed from; of a ratio, also the features."""
        rules = [feature.rule for feature in self.columns]
        ratios = [name for rule in rules if isinstance(rule, FeatureRatio) for name in (rule.numerator, rule.divisor)]
        return frozenset([*ratios, *(name for rule in rules for name in rule.reads)])

    @property
    def window_days(self) -> int:
        """How far the windows reach back, in periods of the contract; 0 for a snapshot table."""
        rules = [feature.rule for feature in self.columns if isinstance(feature.rule, Windowed)]
        return max((rule.days + rule.ago for rule in rules), default=0)

    @property
    def days_back(self) -> int:
        """How many periods before ds a feature looks at."""
        return max(0, self.window_days - 1)
