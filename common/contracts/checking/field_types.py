"""Whether declared values have the types of their fields, so that a mistake is reported before anything runs."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import MISSING, fields
from datetime import date
from decimal import Decimal
from enum import Enum
from functools import cache
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from common.errors import require

NUMBERS = (int, float, Decimal)
LONGEST = 80
WORDS = {
    str: "a text",
    int: "a whole number",
    float: "a number",
    Decimal: "a number",
    bool: "True or False",
    NoneType: "None",
    dict: "a dict",
    date: "a date",
}


def require_types(declared: Any, subject: str, but: tuple[str, ...] = ()) -> None:
    """While faults are collected, replace a wrong value by the field's default, so that the rest is checked too."""
    for field in fields(declared):
        value, type_ = getattr(declared, field.name), _types(declared.__class__).get(field.name)
        if field.name in but or type_ is None or _fits(value, type_):
            continue
        require(False, f"{subject}: {field.name} is {short(value)}; expected {_words(type_)}")
        if field.default_factory is not MISSING:
            object.__setattr__(declared, field.name, field.default_factory())
        elif field.default is not MISSING:
            object.__setattr__(declared, field.name, field.default)


def base_type(type_: str) -> str:
    """`decimal` of `decimal(10,2)`."""
    return type_.partition("(")[0]


def short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"


@cache
def _types(class_: Any) -> dict[str, Any]:
    return get_type_hints(class_)


def _fits(value: Any, type_: Any, within: bool = False) -> bool:
    origin = get_origin(type_)
    if origin in (Union, UnionType):
        return any(_fits(value, one, within=True) for one in get_args(type_))
    if origin is Literal:
        return value in get_args(type_)
    if origin is tuple:
        # Whether a tuple of any length is one at all is told by wording.require_tuples.
        count = _count(type_)
        if not isinstance(value, tuple | list):
            return count is None and not within
        return count in (None, len(value)) and all(_fits(each, get_args(type_)[0]) for each in value)
    if origin is Callable or not isinstance(origin or type_, type):
        return True
    if type_ in NUMBERS:
        number = isinstance(value, int if type_ is int else NUMBERS) and not isinstance(value, bool)
        return number and (isinstance(value, int) or math.isfinite(value))
    if issubclass(origin or type_, Enum):
        return value in [*type_]
    return isinstance(value, origin or type_)


def _count(type_: Any) -> int | None:
    """How many values a tuple has; None for any number."""
    return None if Ellipsis in get_args(type_) else len(get_args(type_))


def _words(type_: Any) -> str:
    origin = get_origin(type_)
    if origin in (Union, UnionType):
        return " or ".join(dict.fromkeys(map(_words, get_args(type_))))
    if origin is Literal:
        return " or ".join(get_args(type_)).replace(" or ", ", ", len(get_args(type_)) - 2)
    if origin is tuple:
        count = _count(type_)
        return f"a tuple{'' if count is None else f' of {count}'}, each {_words(get_args(type_)[0])}"
    if isinstance(type_, type) and issubclass(type_, Enum):
        return " or ".join(f"{type_.__name__}.{one.name}" for one in type_)
    return WORDS.get(origin or type_) or f"{getattr(type_, '__name__', type_)}(...)"
