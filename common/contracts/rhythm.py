"""How often a dataset has a period, and which declarations contradict that."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from copy import copy
from datetime import date
from typing import Protocol, TypeVar

from common.contracts.aggregates import ActiveDays, Aggregate, DaysSinceLast, Windowed
from common.days import DAY, EVERY, HOUR
from common.names import did_you_mean


class WithRule(Protocol):
    """A feature, as far as its window goes."""

    @property
    def rule(self) -> Aggregate: ...


F = TypeVar("F", bound=WithRule)
LATENESS = {DAY: "lateness_days", HOUR: "lateness_hours"}


def every_fault(every: str) -> str:
    """What is wrong with how often a period is declared to come; empty if nothing."""
    hint = did_you_mean(str(every), EVERY)
    return "" if every in EVERY else f'every={every!r} is unknown{hint}; expected "day" or "hour"'


def lateness_faults(every: str, lateness: Mapping[str, int], event_time: str | None) -> Iterator[str]:
    own = LATENESS[every]
    if other := next((name for name, late in lateness.items() if late and name != own), None):
        yield f'{other} is declared, but every="{every}"; declare {own}'
    if lateness[own] < 0:
        yield f"{own} {lateness[own]} is under 0; expected 0 or more"
    if lateness[own] and event_time is None:
        yield f"a snapshot has no event_time, so {own} must be 0"


def hour_faults(
    event_time: str | None, type_: str | None, rules: Mapping[str, Aggregate], since: date | None
) -> Iterator[str]:
    """What makes no sense in a dataset with a period every hour."""
    if type_ == "date":
        yield f'event_time {event_time!r} is a date, which names no hour; expected a timestamp with every="hour"'
    if days := [name for name, rule in rules.items() if isinstance(rule, ActiveDays | DaysSinceLast)]:
        yield f'features {days} count days, but every="hour" and windows are of hours; expected other aggregates'
    if since:
        yield f'drift: since={since} is a day, but every="hour"; leave it out'


def counted(feature: F, every: str) -> F:
    """The feature with a window that is counted in such periods."""
    rule = feature.rule
    if not isinstance(rule, Windowed) or rule.unit == every:
        return feature
    rule, feature = copy(rule), copy(feature)
    object.__setattr__(rule, "unit", every)
    object.__setattr__(feature, "rule", rule)
    return feature
