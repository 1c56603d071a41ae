"""What a declaration accepts, in words."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import fields
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from common.contracts.checking.expectation_names import COMMON, EXPECTATIONS
from common.errors import require
from common.names import did_you_mean

if TYPE_CHECKING:
    from common.contracts.expectations import Rule

TYPE_NAMES = ("string", "int", "long", "double", "boolean", "date", "timestamp", "decimal(12,2)")
# What the types are called elsewhere.
CALLED_ELSEWHERE = {
    **dict.fromkeys(("str", "text", "varchar", "char", "object", "category"), "string"),
    **dict.fromkeys(("integer", "int32", "smallint", "short"), "int"),
    **dict.fromkeys(("bigint", "int64"), "long"),
    **dict.fromkeys(("float", "float64", "real"), "double"),
    **dict.fromkeys(("number", "numeric", "decimal", "money"), "decimal(12,2)"),
    **dict.fromkeys(("bool",), "boolean"),
    **dict.fromkeys(("datetime", "time", "datetime64"), "timestamp"),
}
_DECIMAL = re.compile(r"decimal\((\d{1,2}),(\d{1,2})\)")


def type_fault(type_: Any) -> str:
    """What is wrong with a column's type; empty if nothing."""
    accepted = f"expected {', '.join(TYPE_NAMES[:-1])} or decimal(digits,digits after the point), like {TYPE_NAMES[-1]}"
    if not isinstance(type_, str):
        named = getattr(type_, "__name__", str(type_))
        return f"type {named} is not in quotes{_type_meant(named)}; {accepted}"
    if match := _DECIMAL.fullmatch(type_):
        digits, after = int(match[1]), int(match[2])
        fits = 1 <= digits <= 38 and after <= digits
        return (
            ""
            if fits
            else f"type {type_!r} is not possible; expected 1 to 38 digits, and at most that many after the point"
        )
    return "" if type_ in TYPE_NAMES else f"type {type_!r} is unknown{_type_meant(type_)}; {accepted}"


def _type_meant(type_: str) -> str:
    if known := CALLED_ELSEWHERE.get(type_.lower().partition("(")[0]):
        return f" (did you mean {known}?)"
    return did_you_mean(type_, TYPE_NAMES)


def meant(unknown: list[str], known: Iterable[str]) -> str:
    """What the first of the unknown names was probably meant to be."""
    return did_you_mean(unknown[0], known) if unknown else ""


def require_tuples(declared: Any, subject: str) -> None:
    """Raise where a tuple is expected and something else is declared: ("id") is a string, not a tuple."""
    for field in fields(declared):
        value = getattr(declared, field.name)
        if str(field.type).startswith("tuple[") and str(field.type).endswith(", ...]"):
            shown = f"({value!r},)" if isinstance(value, str) else "(..., ...)"
            fault = f"{subject}: {field.name} is a {type(value).__name__}; expected a tuple: {field.name}={shown}"
            require(isinstance(value, tuple | list), fault)


def rule_faults(rule: Rule) -> list[str]:
    """What is wrong with the name and the arguments of an expectation."""
    if rule.expectation not in EXPECTATIONS:
        hint = did_you_mean(rule.expectation, EXPECTATIONS)
        return [f"rule {rule.expectation!r} is unknown{hint}; common/contracts/reference.md lists the known ones"]
    own = EXPECTATIONS[rule.expectation]
    names = [name.rstrip("*") for name in own]
    wrong = [
        f"rule {rule.expectation} has no argument {name!r}{did_you_mean(name, names)}; it has {', '.join(names)}"
        for name in rule.arguments
        if name not in (*names, *COMMON)
    ]
    missing = [name.rstrip("*") for name in own if name.endswith("*") and name.rstrip("*") not in rule.arguments]
    return [*wrong, *(f"rule {rule.expectation} needs {name!r}; add it" for name in missing)]


def is_encoding(name: str) -> bool:
    """Whether Python knows a codec of that name that reads text, as base64 does not."""
    try:
        b"text".decode(name, "replace")
    except LookupError:
        return False
    return True


def is_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        return False
    return True
