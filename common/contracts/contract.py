"""What a dataset promises, declared once; a declaration that contradicts itself fails where it stands."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from common.contracts.aggregates import NUMERIC, Aggregate, ColumnAggregate, FeatureRatio, Flag, Windowed
from common.contracts.expectations import Drift, Freshness, Reference, Rule, Severity, Volume
from common.errors import require
from common.names import NAME

TYPES = re.compile(r"string|int|long|double|boolean|date|timestamp|decimal\((\d{1,2}),(\d{1,2})\)")
TABLES = ("raw", "processed", "features")
# Columns that the pipeline adds to every dataset's tables.
RESERVED = frozenset(
    {"ds", "event_date", "arrived", "superseded", "record_hash", "file", "copies", "reasons", "record", "job", "action"}
    | {"problem", "extra", "lines", "events"}
)


@dataclass(frozen=True, kw_only=True)
class Column:
    """One column: its type, and what a value must be to be accepted."""

    name: str
    type: str
    description: str
    required: bool = False
    minimum: Decimal | int | None = None
    above: Decimal | int | None = None
    maximum: Decimal | int | None = None
    values: tuple[str, ...] = ()
    pattern: str | None = None
    lower: bool = False
    formats: tuple[str, ...] = ()
    sensitive: bool = False  # personal: its values are masked wherever examples are shown

    def __post_init__(self) -> None:
        said = f"column {self.name!r}"
        require(bool(NAME.fullmatch(self.name)), f"{said}: a name is lower case, digits and _; this one is not")
        require(self.name not in RESERVED, f"{said}: the pipeline adds a column of that name itself; choose another")
        require(bool(TYPES.fullmatch(self.type)), f"{said}: type {self.type!r} is none of {TYPES.pattern}")
        bounded = any(bound is not None for bound in (self.minimum, self.above, self.maximum))
        require(not bounded or self.base_type in NUMERIC, f"{said}: a range is declared, but its type is {self.type}")
        require(self.minimum is None or self.above is None, f"{said}: both minimum and above are declared; keep one")
        low = self.minimum if self.minimum is not None else self.above
        require(
            low is None or self.maximum is None or low <= self.maximum,
            f"{said}: minimum {low} is over maximum {self.maximum}",
        )
        textual = bool(self.values or self.pattern or self.lower)
        require(
            not textual or self.type == "string",
            f"{said}: values, pattern and lower are for strings, it is {self.type}",
        )
        require(
            not self.formats or self.base_type in ("date", "timestamp"),
            f"{said}: formats are for dates, it is {self.type}",
        )
        wrong = [value for value in self.values if value != value.strip() or (self.lower and value != value.lower())]
        require(
            not wrong, f"{said}: values {wrong} can never match, because text is trimmed{' and lowered' * self.lower}"
        )

    @property
    def base_type(self) -> str:
        return self.type.partition("(")[0]


@dataclass(frozen=True, kw_only=True)
class Files:
    """A landing folder of CSV, gzip CSV, JSON lines and Parquet files."""

    delimiter: str = ","
    encoding: str = "utf-8"
    on_bad_file: str = "fail"
    empty_day_wipes: bool = False

    def __post_init__(self) -> None:
        require(
            len(self.delimiter) == 1 and self.delimiter not in '"\r\n',
            f"delimiter {self.delimiter!r} is not one character",
        )
        require(_is_encoding(self.encoding), f"encoding {self.encoding!r} is none that Python knows, such as utf-8")
        require(
            self.on_bad_file in ("fail", "quarantine"),
            f"on_bad_file {self.on_bad_file!r} is neither fail nor quarantine",
        )


def _is_encoding(name: str) -> bool:
    try:
        codecs.lookup(name)
    except LookupError:
        return False
    return True


def _is_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        return False
    return True


@dataclass(frozen=True)
class Feature:
    name: str
    rule: Aggregate


@dataclass(frozen=True, kw_only=True)
class Features:
    """A feature table: one row per entity and ds. Changing a definition means a new version."""

    version: int
    entity: str
    columns: tuple[Feature, ...]
    # Columns that `transforms.measure` adds to a processed row for the features alone.
    measures: tuple[Column, ...] = ()

    @property
    def window_days(self) -> int:
        """How many event dates a row looks back on; 0 for a snapshot of the day itself."""
        return max((each.rule.days for each in self.columns if isinstance(each.rule, Windowed)), default=0)


@dataclass(frozen=True, kw_only=True)
class Contract:
    name: str
    description: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    features: Features
    source: Files = field(default_factory=Files)
    derived: tuple[Column, ...] = ()
    event_time: str | None = None
    zone: str = "UTC"
    lateness_days: int = 0
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
    label: str | None = None  # the feature that models predict: the others are watched for how they go with it
    retention_days: int = 400

    def __post_init__(self) -> None:
        said = f"contract {self.name!r}"
        require(bool(NAME.fullmatch(self.name)), f"{said}: a name is lower case, digits and _; this one is not")
        names = [column.name for column in (*self.columns, *self.derived)]
        twice = sorted({name for name in names if names.count(name) > 1})
        require(not twice, f"{said}: columns {twice} are declared twice")
        self._columns_exist("key", self.key)
        self._columns_exist("winner", self.winner)
        self._columns_exist("entity", (self.features.entity,))
        require(bool(self.key), f"{said}: no key is declared")
        optional = [name for name in self.key if not self.column(name).required]
        require(not optional, f"{said}: key columns {optional} are not required; a key is never missing")
        self._check_event_time(said)
        for name in ("refused_share", "duplicate_share"):
            require(0 < getattr(self, name) <= 1, f"{said}: {name} {getattr(self, name)} is not in (0, 1]")
        require(_is_zone(self.zone), f"{said}: zone {self.zone!r} is no time zone's name, such as Europe/Berlin")
        require(self.features.version > 0, f"{said}: feature version {self.features.version} is not 1 or more")
        require(self.lateness_days >= 0, f"{said}: lateness_days {self.lateness_days} is under 0")
        require(self.retention_days > 7, f"{said}: retention_days {self.retention_days} is not over 7")
        self._check_features(said)
        self._check_quality(said)

    def _check_event_time(self, said: str) -> None:
        if self.event_time is None:
            require(self.lateness_days == 0, f"{said}: a snapshot has no event_time, so lateness_days must be 0")
            require(self.features.window_days == 0, f"{said}: windows need an event_time, and none is declared")
            return
        self._columns_exist("event_time", (self.event_time,))
        column = self.column(self.event_time)
        require(
            column.required and column.type in ("timestamp", "date"),
            f"{said}: event_time {self.event_time!r} must be a required timestamp or date",
        )

    def _check_features(self, said: str) -> None:
        names = [each.name for each in self.features.columns]
        twice = sorted({name for name in names if names.count(name) > 1})
        require(not twice, f"{said}: features {twice} are declared twice")
        clash = sorted({self.features.entity, "ds"} & set(names))
        require(not clash, f"{said}: features {clash} are named like the table's key")
        windowed = self.features.window_days > 0
        require(
            windowed or self.key == (self.features.entity,),
            f"{said}: a snapshot has one row per entity, but its key is {self.key} and its entity {self.features.entity!r}",
        )
        measures = [column.name for column in self.features.measures]
        for each in self.features.columns:
            fits = each.rule.fits_window if windowed else each.rule.fits_snapshot
            kind = "an event" if windowed else "a snapshot"
            require(fits, f"{said}: feature {each.name!r} ({each.rule.words}) does not go with {kind} feature table")
            self._columns_exist(f"feature {each.name!r}", [name for name in each.rule.reads if name not in measures])
            self._check_type(said, each)
            if isinstance(each.rule, FeatureRatio):
                parts = names if windowed else [*names, *(column.name for column in (*self.columns, *self.derived))]
                unknown = [part for part in (each.rule.numerator, each.rule.divisor) if part not in parts]
                require(not unknown, f"{said}: feature {each.name!r} divides {unknown}, but there are {parts}")

    def _check_type(self, said: str, feature: Feature) -> None:
        rule, columns = feature.rule, (*self.columns, *self.derived, *self.features.measures)
        if isinstance(rule, ColumnAggregate | Flag):
            column = next(column for column in columns if column.name == rule.column)
            wanted = rule.of if isinstance(rule, ColumnAggregate) else ()
            fits = not wanted or column.base_type in wanted
            require(fits, f"{said}: feature {feature.name!r} ({rule.words}) needs {wanted}, but it is {column.type}")
        if isinstance(rule, Flag):
            known = rule.value in column.values or not column.values
            require(known, f"{said}: feature {feature.name!r} looks for {rule.value!r}, the values are {column.values}")

    def _check_quality(self, said: str) -> None:
        self._columns_exist("references", [each.column for each in self.references])
        features = [each.name for each in self.features.columns]
        require(self.label in (None, *features), f"{said}: label {self.label!r} is none of the features {features}")
        for rule in self.rules:
            require(rule.table in TABLES, f"{said}: {rule.words} is for table {rule.table!r}, but there are {TABLES}")

    def _columns_exist(self, what: str, names: Iterable[str]) -> None:
        known = [column.name for column in (*self.columns, *self.derived)]
        unknown = [name for name in names if name not in known]
        require(not unknown, f"contract {self.name!r}: {what} names {unknown}, but the columns are {known}")

    def column(self, name: str) -> Column:
        return next(column for column in (*self.columns, *self.derived) if column.name == name)
