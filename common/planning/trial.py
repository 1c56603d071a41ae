"""What the changed code would publish otherwise: tried on a linked copy of the lake, compared with what is published."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date
from typing import Any

import pyarrow as pa

from common.contracts import datasets, layout
from common.days import range_text
from common.errors import UsageError
from common.lake import linked_copy
from common.lake.log import delta_log
from common.planning.plan import DatasetPlan
from common.published.catalog import FeatureTable, Lake
from common.published.distributions import QUANTILES, Distribution, distribution
from common.published.version_diff import VersionDiff, compare_versions
from common.published.view import View

# By column: as published, and as tried; None where it has no such column.
Spread = dict[str, tuple[Distribution | None, Distribution | None]]


@dataclass(frozen=True)
class Comparison:
    dataset: str
    tried: str  # the table in the trial
    published: str | None = None  # the table that it is compared with
    version: int | None = None
    diff: VersionDiff = field(default_factory=VersionDiff)
    spread: Spread = field(default_factory=dict)
    rows: int = 0  # of the days that were compared, as tried


@dataclass(frozen=True)
class Trial:
    """A copy of the lake for one trial, and the versions that were published when it was made."""

    lake: str
    place: str
    versions: dict[str, tuple[FeatureTable, int] | None]

    def compare(self) -> list[Comparison]:
        return [self._compared(name, before) for name, before in self.versions.items()]

    def _compared(self, name: str, before: tuple[FeatureTable, int] | None) -> Comparison:
        table = _table(self.place, name)
        if not before or not delta_log.exists(table.uri):
            return Comparison(name, table.name)
        published, version = before
        old, new = published.at(version=version), table.at()
        if old.entity != new.entity:
            raise UsageError(
                f"{table.name} has one row for each {new.entity}, and {published.name} for each {old.entity}; expected the same "
                f"entity to compare them. The trial's rows are in {self.place}"
            )
        diff = compare_versions(old, new, new.days())
        days = [str(day) for day in diff.days]
        names = {*diff.columns, *diff.new_columns, *diff.gone_columns, *diff.retyped}
        rows = sum(new.stored.read(day, [new.entity]).num_rows for day in days)
        return Comparison(name, table.name, published.name, version, diff, _spread(old, new, names, days), rows)


def begin(lake: str, name: str, plans: Sequence[DatasetPlan]) -> Trial:
    """Link the tables that the steps of the plans need. Of a changed definition, the features are made from nothing."""
    names = [plan.name for plan in plans]
    without = [path for plan in plans if plan.refused for path in _of_features(plan.name)]
    place = linked_copy.link(lake, name, names, without)
    versions = {
        each: _published(place if _table(place, each).path not in without else lake, lake, each) for each in names
    }
    return Trial(lake, place, versions)


def _of_features(name: str) -> list[str]:
    contract = datasets.load(name).contract
    return [table(contract).path for table in (layout.partials, layout.features, layout.published)]


def _table(lake: str, name: str) -> FeatureTable:
    return FeatureTable(lake, name, datasets.load(name).contract.features.version)


def _published(place: str, lake: str, name: str) -> tuple[FeatureTable, int] | None:
    """What readers have of the declared version, or of the newest before it; as of when its log was linked."""
    declared = _table(lake, name).number
    for number in range(declared, 0, -1):
        table = FeatureTable(lake, name, number)
        if table.name in Lake(lake).tables():
            linked = f"{place}/{table.path}"
            return table, delta_log.version(linked if delta_log.exists(linked) else table.uri)
    return None


def _spread(old: View, new: View, names: Collection[str], days: Sequence[str]) -> Spread:
    return {name: (_of_column(old, name, days), _of_column(new, name, days)) for name in sorted(names)}


def _of_column(view: View, name: str, days: Sequence[str]) -> Distribution | None:
    if name not in view.stored.schema.names or not days:
        return None
    return distribution(pa.chunked_array([*_chunks(view, name, days)], view.stored.schema.field(name).type))


def _chunks(view: View, name: str, days: Sequence[str]) -> Iterator[pa.Array]:
    for day in days:
        yield from view.stored.read(day, [name])[name].chunks


def head(one: Comparison) -> str:
    """The differences of one dataset in one line."""
    if one.published is None:
        return f"{one.dataset}: nothing to compare: nothing is published, or the trial published nothing"
    against = f"{one.tried} as tried, and {one.published} version {one.version} as published"
    if not (one.diff.added or one.diff.removed or one.diff.changed or one.spread):
        return f"{one.dataset}: no differences between {against}"
    return (
        f"{one.dataset}: {_rows(one.diff.changed)} changed, {one.diff.added:,} added, {one.diff.removed:,} removed; "
        f"{_rows(one.rows)} on {_days(one.diff.days)} of {against}"
    )


def _rows(count: int) -> str:
    return f"{count:,} {'row' if count == 1 else 'rows'}"


def _days(days: Sequence[date]) -> str:
    return range_text(days[0], days[-1]) if days else "no day"


HEADINGS = ("column", "rows", "", "null", "distinct", "mean", *(f"{each:.0%}" for each in QUANTILES))


def rows(one: Comparison) -> Iterator[list[Any]]:
    """Two lines for each column: as published, and as tried."""
    for name, (before, after) in one.spread.items():
        if before:
            yield [name, _changed(one.diff, name), "published", *_figures(before)]
        if after:
            yield ["" if before else name, "" if before else _changed(one.diff, name), "tried", *_figures(after)]


def _changed(diff: VersionDiff, name: str) -> str:
    if name in diff.columns:
        return f"{diff.columns[name]:,}"
    return "new" if name in diff.new_columns else "gone" if name in diff.gone_columns else "retyped"


def _figures(values: Distribution) -> list[Any]:
    places = values.quantiles or (None,) * len(QUANTILES)
    return [f"{values.nulls:.1%}", values.distinct, values.mean, *places]


def facts(one: Comparison) -> dict[str, Any]:
    return {
        "dataset": one.dataset,
        "tried": one.tried,
        "published": one.published,
        "version": one.version,
        **asdict(one.diff),
        "days": [str(day) for day in one.diff.days],
        "largest": [{**asdict(change), "ds": str(change.ds)} for change in one.diff.largest],
        "spread": {
            name: {"published": _spread_facts(before), "tried": _spread_facts(after)}
            for name, (before, after) in one.spread.items()
        },
    }


def _spread_facts(values: Distribution | None) -> dict[str, Any] | None:
    if values is None:
        return None
    places = dict(zip(map(str, QUANTILES), values.quantiles, strict=False))
    return {**asdict(values), "quantiles": places}
