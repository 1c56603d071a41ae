"""Guess what the columns of a file are, from a sample of its rows: types, nulls, values, key and event time. No Spark."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from itertools import combinations

from common.contracts.checking.field_types import base_type
from common.contracts.column import RESERVED
from common.names import LONGEST_NAME
from common.sources.guessing.first_rows import Sample

MOST_VALUES = 12  # of a column that is taken for a category
TYPES_BY_FORM = (
    ("boolean", r"true|false"),
    ("long", r"-?(0|[1-9]\d{0,17})(\.0)?"),
    ("decimal", r"-?(0|[1-9]\d*)(\.\d+)?"),
    ("double", r"-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?"),
    ("date", r"\d{4}-\d\d-\d\d"),
    ("timestamp", r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d{1,6})?)?(Z|[+-]\d\d:\d\d)?)?"),
)
# Python's and Spark's pattern of dates that are not ISO 8601.
FORMATS = (
    ("date", "%d.%m.%Y", "d.M.yyyy"),
    ("date", "%d/%m/%Y", "d/M/yyyy"),
    ("date", "%m/%d/%Y", "M/d/yyyy"),
    ("timestamp", "%d.%m.%Y %H:%M", "d.M.yyyy H:mm"),
    ("timestamp", "%d.%m.%Y %H:%M:%S", "d.M.yyyy H:mm:ss"),
    ("timestamp", "%d/%m/%Y %H:%M", "d/M/yyyy H:mm"),
    ("timestamp", "%d/%m/%Y %H:%M:%S", "d/M/yyyy H:mm:ss"),
    ("timestamp", "%m/%d/%Y %H:%M", "M/d/yyyy H:mm"),
    ("timestamp", "%m/%d/%Y %H:%M:%S", "M/d/yyyy H:mm:ss"),
)


@dataclass(frozen=True)
class Guess:
    """What a column of the file seems to be."""

    name: str
    in_file: str
    texts: list[str | None] = field(repr=False)
    type: str = "string"
    format: str = ""
    other_format: str = ""  # another format that fits every text

    @property
    def known(self) -> list[str]:
        return [text for text in self.texts if text is not None]

    @property
    def required(self) -> bool:
        return bool(self.texts) and None not in self.texts

    @property
    def unique(self) -> bool:
        return self.required and len({*self.texts}) == len(self.texts)

    @property
    def base_type(self) -> str:
        return base_type(self.type)

    @property
    def integral(self) -> bool:
        """Whole numbers that are written as 17850.0, as happens to those with gaps."""
        return self.base_type in ("int", "long") and any(text.endswith(".0") for text in self.known)

    @property
    def numbers(self) -> list[float]:
        return [float(text) for text in self.known] if self.base_type in ("int", "long", "double", "decimal") else []

    @property
    def values(self) -> tuple[str, ...]:
        """The values of a category: few, often repeated and plain."""
        distinct = sorted({*self.known})
        few = 1 < len(distinct) <= MOST_VALUES and len(self.known) >= 3 * len(distinct)
        plain = all(re.fullmatch(r"[\w .,:/+-]{1,40}", value) for value in distinct)
        return tuple(distinct) if self.type == "string" and few and plain else ()


def guess_columns(sample: Sample) -> list[Guess]:
    """Each column's name and type."""
    guesses: list[Guess] = []
    for in_file, texts in sample.columns.items():
        name = _name(in_file, {guess.name for guess in guesses})
        guesses.append(Guess(name, in_file, texts, *_type([text for text in texts if text is not None])))
    return guesses


def _name(in_file: str, taken: Iterable[str]) -> str:
    """InvoiceNo becomes invoice_no; a name that the pipeline itself uses is changed."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", in_file.strip())
    name = re.sub(r"[^a-z0-9]+", "_", words.lower()).strip("_") or "column"
    name = f"column_{name}" if name[0].isdigit() or name in RESERVED else name
    name = name[: LONGEST_NAME - 4]
    others = (f"{name}_{number}" for number in range(2, 1000))
    return next(other for other in (name, *others) if other not in taken)


def _type(texts: list[str]) -> tuple[str, str, str]:
    """The type; Spark's pattern if it is a date that is not ISO 8601; and another that fits as well: 1/2 is ambiguous."""
    if not texts:
        return "string", "", ""
    for type_, form in TYPES_BY_FORM:
        if all(re.fullmatch(form, text, re.IGNORECASE) for text in texts):
            return _sized(type_, texts), "", ""
    fitting = [(type_, spark) for type_, pattern, spark in FORMATS if all(_is_date(text, pattern) for text in texts)]
    if not fitting:
        return "string", "", ""
    (type_, first), *others = fitting
    return type_, first, next((other for _, other in others), "")


def _is_date(text: str, pattern: str) -> bool:
    try:
        return bool(datetime.strptime(text, pattern))
    except ValueError:
        return False


def _sized(type_: str, texts: list[str]) -> str:
    """An int where all fit and repeat, like ages; a decimal with room for larger ones."""
    if type_ == "long":
        small = all(abs(int(text.removesuffix(".0"))) < 1_000_000 for text in texts)
        return "int" if small and len({*texts}) < len(texts) else "long"
    if type_ != "decimal":
        return type_
    after = max(len(text.partition(".")[2]) for text in texts)
    before = max(len(text.partition(".")[0].lstrip("-")) for text in texts)
    return f"decimal({max(12, before + after + 3)},{after})" if after <= 6 and before <= 20 else "double"


def keys_of(columns: list[Guess]) -> list[tuple[str, ...]]:
    """Columns, or else pairs of columns, that identify a row of the sample; the likeliest first."""
    required = [column for column in columns if column.required and column.base_type not in ("double", "boolean")]
    single: list[tuple[str, ...]] = [(column.name,) for column in sorted(required, key=_unlike_a_key) if column.unique]
    if single:
        return single
    pairs = combinations(required[:8], 2)
    return [
        (one.name, other.name)
        for one, other in pairs
        if len({*zip(one.texts, other.texts, strict=True)}) == len(one.texts)
    ]


def _unlike_a_key(column: Guess) -> int:
    named = re.search(r"(^|_)(id|key|no|nr|number|code|uuid)$", column.name)
    return (0 if named else 1) + 2 * (column.base_type in ("date", "timestamp", "decimal"))


def event_time_of(columns: list[Guess]) -> str | None:
    """The first required timestamp, or else the first required date."""
    required = [column for column in columns if column.required]
    times = [column.name for type_ in ("timestamp", "date") for column in required if column.type == type_]
    return times[0] if times else None
