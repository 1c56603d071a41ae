"""A dataset's contract. A contradictory declaration fails at import."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import date
from functools import cached_property

from common.contracts.aggregates import ColumnAggregate, FeatureRatio, Flag, Mean, Sum
from common.contracts.calendar import Closed, check_closed, is_closed
from common.contracts.changes import add_change_columns
from common.contracts.checking.field_types import require_types
from common.contracts.column import Column
from common.contracts.declared_source import DeclaredSource, Files, source_fault
from common.contracts.entity import columns_of
from common.contracts.expectations import Drift, Freshness, Reference, Rule, Severity, Volume
from common.contracts.feature_table import Feature, Features
from common.contracts.rhythm import LATENESS, counted, every_fault, hour_faults, lateness_faults
from common.contracts.wording import is_zone, meant, require_tuples
from common.days import DAY, HOUR, STORED_TYPES
from common.errors import require
from common.names import NAME, did_you_mean, repeated

__all__ = ["LINE", "LINE_COLUMN", "Column", "Contract", "Feature", "Features", "Files"]
TABLES = ("raw", "processed", "features")
# The key of events without one: a line is known by its file's name, its content, and how often it was there before. A file
# that is sent again changes nothing; a line that a file repeats counts each time.
LINE = ("line",)
# Fields of a contract with checks and words of their own.
CHECKED_APART = ("source", "closed", "null_entity")
LONGEST_DAYS = 36_500
LINE_COLUMN = Column(name="line", type="string", required=True, description="The line: its file, content and count.")


@dataclass(frozen=True, kw_only=True)
class Contract:
    """All that is declared about a dataset."""

    name: str
    description: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    features: Features
    source: DeclaredSource = field(default_factory=Files)
    derived: tuple[Column, ...] = ()
    event_time: str | None = None
    zone: str = "UTC"
    closed: Closed = ()  # the days on which nothing is expected to arrive
    every: str = DAY  # or "hour": then ds is an hour, and windows and lateness are counted in hours
    lateness_days: int = 0
    lateness_hours: int = 0
    winner: tuple[str, ...] = ()
    refused_share: float = 0.05
    refused_severity: Severity = Severity.ERROR
    duplicate_share: float = 0.2
    duplicate_severity: Severity = Severity.WARN
    empty_severity: Severity = Severity.WARN
    freshness: Freshness = field(default_factory=Freshness)
    volume: Volume = field(default_factory=Volume)
    drift: Drift | None = field(default_factory=Drift)
    rules: tuple[Rule, ...] = ()
    references: tuple[Reference, ...] = ()
    label: str | None = None  # the feature that models predict; drift checks compare the other features with it
    retention_days: int = 400
    null_entity: str | None = None  # rows without an entity: "refuse" them, or "drop" them from the features
    owner: str = ""  # for people only, like the tags: a change makes no day stale
    tags: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        subject = f"contract {self.name!r}"
        require_types(self, subject, but=CHECKED_APART)
        require(bool(NAME.fullmatch(self.name)), f"{subject}: a name is lower case letters, digits and _; rename it")
        require_tuples(self, subject)
        if fault := source_fault(self.source):
            require(False, f"{subject}: {fault}")
            object.__setattr__(self, "source", Files())
        self._count_in_periods(subject)
        add_change_columns(self, subject)
        if self.key == LINE and LINE_COLUMN not in self.derived:
            object.__setattr__(self, "derived", (*self.derived, LINE_COLUMN))
        names = [column.name for column in (*self.columns, *self.derived)]
        twice = repeated(names)
        require(not twice, f"{subject}: columns {twice} are declared twice; keep one of each")
        sources = [self.source.fold(column.source or column.name) for column in self.columns]
        alike = repeated(sources)
        require(not alike, f"{subject}: several columns come from {alike}; give each a source of its own")
        self._columns_exist("key", self.key)
        self._columns_exist("winner", self.winner)
        self._columns_exist("entity", (self.features.entity,))
        require(bool(self.key), f"{subject}: no key is declared; name the columns that identify a record, or LINE")
        optional = [name for name in self.key if name in names and not self.column(name).required]
        require(
            not optional, f"{subject}: key columns {optional} must be required=True, because a key is never missing"
        )
        self._check_rhythm(subject)
        self._check_event_time(subject)
        for name in ("refused_share", "duplicate_share"):
            require(0 < getattr(self, name) <= 1, f"{subject}: {name} {getattr(self, name)} is not in (0, 1]")
        require(is_zone(self.zone), f"{subject}: zone {self.zone!r} is unknown; expected a name like Europe/Berlin")
        check_closed(subject, self.closed, self.every)
        version = self.features.version
        require(version > 0, f"{subject}: feature version {version} is not allowed; expected 1 or more")
        spans = {"retention_days": self.retention_days, LATENESS[self.every]: self.lateness}
        for name, days in {**spans, "a feature's window": self.features.window_days}.items():
            years = ", a hundred years" if self.every == DAY else ""
            require(days <= LONGEST_DAYS, f"{subject}: {name} {days} is over {LONGEST_DAYS:,}{years}; lower it")
        require(self.retention_days > 7, f"{subject}: retention_days {self.retention_days}; expected more than 7")
        self._check_features(subject)
        self._check_quality(subject)
        misfit = self.source.misfit(self)
        require(not misfit, f"{subject}: {misfit}")
        entity = self.column(self.features.entity)
        object.__setattr__(self, "columns", columns_of(subject, self.null_entity, entity, self.columns))

    def is_closed(self, day: date) -> bool:
        return is_closed(self.closed, day)

    @property
    def lateness(self) -> int:
        """How many periods late an event is still accepted."""
        return self.lateness_hours if self.every == HOUR else self.lateness_days

    @property
    def period_type(self) -> str:
        """The type of the columns that hold a period."""
        return STORED_TYPES[self.every]

    @cached_property
    def source_names(self) -> dict[str, str]:
        """The columns' names in files, as they are compared, to their own."""
        own = {self.source.fold(column.name): column.name for column in self.columns}
        return own | {self.source.fold(column.source): column.name for column in self.columns if column.source}

    def own_name(self, name: str) -> str:
        """The name of the column that comes from this name in a file; the same name if no column does."""
        return self.source_names.get(self.source.fold(name), name)

    def own_names(self, names: Iterable[str]) -> list[str]:
        return [self.own_name(name) for name in names]

    def _count_in_periods(self, subject: str) -> None:
        fault = every_fault(self.every)
        require(not fault, f"{subject}: {fault}")
        columns = tuple(counted(feature, self.every) for feature in self.features.columns)
        object.__setattr__(self, "features", replace(self.features, columns=columns))

    def _check_rhythm(self, subject: str) -> None:
        lateness = {name: getattr(self, name) for name in LATENESS.values()}
        faults = [*lateness_faults(self.every, lateness, self.event_time)]
        if self.every == HOUR:
            types = {column.name: column.type for column in (*self.columns, *self.derived)}
            rules = {feature.name: feature.rule for feature in self.features.columns}
            since = self.drift.since if self.drift else None
            faults += hour_faults(self.event_time, types.get(self.event_time or ""), rules, since)
        require(not faults, f"{subject}: {'; '.join(faults)}")

    def _check_event_time(self, subject: str) -> None:
        if self.event_time is None:
            require(self.features.window_days == 0, f"{subject}: windows need an event_time, but none is declared")
            return
        self._columns_exist("event_time", (self.event_time,))
        column = self.column(self.event_time)
        require(
            column.required and column.type in ("timestamp", "date"),
            f"{subject}: event_time {self.event_time!r} must be a required timestamp or date",
        )

    def _check_features(self, subject: str) -> None:
        names = [feature.name for feature in self.features.columns]
        twice = repeated(names)
        require(not twice, f"{subject}: features {twice} are declared twice; keep one of each")
        clash = sorted({self.features.entity, "ds"} & set(names))
        require(not clash, f"{subject}: features {clash} have the name of a key column; rename them")
        windowed = self.features.window_days > 0
        require(
            windowed or self.key == (self.features.entity,),
            f"{subject}: a snapshot has one row per entity, but the key is {self.key} and the entity {self.features.entity!r}",
        )
        measures = [column.name for column in self.features.measures]
        for feature in self.features.columns:
            fits = feature.rule.fits_window if windowed else feature.rule.fits_snapshot
            kind = "an event" if windowed else "a snapshot"
            prefix = f"{subject}: feature {feature.name!r}"
            require(fits, f"{prefix} ({feature.rule.words}) does not fit {kind} feature table")
            inputs = [name for name in feature.rule.reads if name not in measures]
            self._columns_exist(f"feature {feature.name!r}", inputs)
            self._check_type(subject, feature)
            if isinstance(feature.rule, FeatureRatio):
                parts = names if windowed else [*names, *(column.name for column in (*self.columns, *self.derived))]
                unknown = [part for part in (feature.rule.numerator, feature.rule.divisor) if part not in parts]
                require(not unknown, f"{prefix} divides {unknown}, but the choices are {parts}{meant(unknown, parts)}")

    def _check_type(self, subject: str, feature: Feature) -> None:
        rule, prefix = feature.rule, f"{subject}: feature {feature.name!r}"
        columns = (*self.columns, *self.derived, *self.features.measures)
        if isinstance(rule, ColumnAggregate | Flag):
            column = next((column for column in columns if column.name == rule.column), None)
            if column is None:
                return
            types = rule.types if isinstance(rule, ColumnAggregate) else ()
            fits = not types or column.base_type in types
            inexact = isinstance(rule, Sum | Mean) and column.type == "double"
            instead = (
                f"; a sum of doubles depends on the order of the rows: declare {column.name}, or a measure that casts it, "
                "as decimal(p,s)"
            )
            require(fits, f"{prefix} ({rule.words}) needs {types}, but it is {column.type}{instead * inexact}")
            known = not isinstance(rule, Flag) or rule.value in column.values or not column.values
            value = getattr(rule, "value", None)
            require(known, f"{prefix} compares with {value!r}, but the values are {column.values}")

    def _check_quality(self, subject: str) -> None:
        self._columns_exist("references", [reference.column for reference in self.references])
        features = [feature.name for feature in self.features.columns]
        label = f"{subject}: label {self.label!r}{did_you_mean(self.label or '', features)}"
        require(self.label in (None, *features), f"{label} is not among the features {features}")
        for rule in self.rules:
            hint = did_you_mean(rule.table, TABLES)
            require(
                rule.table in TABLES, f"{subject}: {rule.words} is for {rule.table!r}{hint}; expected one of {TABLES}"
            )

    def _columns_exist(self, what: str, names: Iterable[str]) -> None:
        known = [column.name for column in (*self.columns, *self.derived)]
        unknown = [name for name in names if name not in known]
        require(
            not unknown,
            f"contract {self.name!r}: {what} names {unknown}, but the columns are {known}{meant(unknown, known)}",
        )

    def column(self, name: str) -> Column:
        return next(column for column in (*self.columns, *self.derived) if column.name == name)
