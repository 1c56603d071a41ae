"""A column of a contract: its type, how it is written in files, and the conditions that a value must meet."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from common.contracts.checking.field_types import base_type, require_types
from common.contracts.checking.patterns import format_fault, pattern_fault
from common.contracts.number_types import NUMERIC
from common.contracts.wording import require_tuples, type_fault
from common.errors import require
from common.names import NAME

MARKS = (".", ",")
# Columns that the pipeline adds to every dataset's tables.
RESERVED = frozenset(
    {"ds", "event_date", "arrived", "superseded", "record_hash", "file", "copies", "reasons", "record", "job", "action"}
    | {"problem", "extra", "lines", "events"}
)


@dataclass(frozen=True, kw_only=True)
class Column:
    """A column: its type, and the conditions that a value must meet."""

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
    sensitive: bool = False  # personal data, masked wherever examples are shown
    source: str | None = None  # its name in the files, if that is another
    decimal: str = "."
    thousands: str = ""
    integral: bool = False  # also accept a whole number written as 17850.0

    def __post_init__(self) -> None:
        subject = f"column {self.name!r}"
        require_types(self, subject, but=("type",))
        require(bool(NAME.fullmatch(self.name)), f"{subject}: a name is lower case letters, digits and _; rename it")
        require(self.name not in RESERVED, f"{subject}: the pipeline adds a column of this name; choose another")
        require(not (fault := type_fault(self.type)), f"{subject}: {fault}")
        require_tuples(self, subject)
        if fault:  # While faults are collected: what fits an unknown type is unknown too.
            return
        bounded = any(bound is not None for bound in (self.minimum, self.above, self.maximum))
        require(
            not bounded or self.base_type in NUMERIC, f"{subject}: a range is for numbers, but the type is {self.type}"
        )
        require(self.minimum is None or self.above is None, f"{subject}: both minimum and above are declared; keep one")
        low = self.least
        ordered = low is None or self.maximum is None or low <= self.maximum
        require(ordered, f"{subject}: minimum {low} is greater than maximum {self.maximum}; correct one of them")
        textual = bool(self.values or self.pattern or self.lower)
        require(
            not textual or self.type == "string", f"{subject}: values, pattern, lower are for strings, not {self.type}"
        )
        dated = self.base_type in ("date", "timestamp")
        require(dated or not self.formats, f"{subject}: formats are for dates and timestamps, not {self.type}")
        for fault in (pattern_fault(self.pattern or ""), *map(format_fault, self.formats)):
            require(not fault, f"{subject}: {fault}")
        self._check_number_format(subject)
        text = f"trimmed{' and lower-cased' * self.lower}"
        unreachable = [v for v in self.values if v != v.strip() or (self.lower and v != v.lower())]
        require(
            not unreachable, f"{subject}: values {unreachable} can never match, because text is {text}; declare them so"
        )

    def _check_number_format(self, subject: str) -> None:
        formatted = self.decimal != "." or bool(self.thousands)
        require(not formatted or self.base_type in NUMERIC, f"{subject}: decimal and thousands are for numbers")
        require(self.decimal in MARKS, f"{subject}: decimal {self.decimal!r} is unknown; expected one of {MARKS}")
        marks = ("", *MARKS, " ", "'", "_", "\u00a0", "\u202f")
        allowed = self.thousands in marks and self.thousands != self.decimal
        require(
            allowed,
            f"{subject}: thousands {self.thousands!r} is not allowed; expected one of {marks}, and not decimal's",
        )
        whole = self.base_type in ("int", "long")
        require(whole or not self.integral, f"{subject}: integral is for int and long, not {self.type}")

    @property
    def base_type(self) -> str:
        return base_type(self.type)

    @property
    def least(self) -> Any:
        """The lower bound, itself allowed or not; None without one."""
        return self.minimum if self.minimum is not None else self.above

    @property
    def meaning(self) -> str:
        """What a value means, in words. They are hashed and stored in commits: changing them makes every definition new."""
        parts = [
            self.type,
            "lower case" if self.lower else "",
            f"one of {', '.join(self.values)}" if self.values else "",
            f"as {', '.join(self.formats)}" if self.formats else "",
        ]
        return "; ".join(part for part in parts if part)
