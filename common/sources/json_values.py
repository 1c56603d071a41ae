"""JSON values whose numbers keep the text that was sent."""

from __future__ import annotations

from typing import Any


class JsonNumber(str):
    """The text of a number, distinct from a text that looks like one."""


class RepeatedNames(dict[str, Any]):
    """An object in which a name occurs twice, and its pairs as they were sent."""

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        super().__init__(pairs)
        self.pairs = pairs


def json_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """For parsers, which else would keep the last of two values and say nothing."""
    found = dict(pairs)
    return found if len(found) == len(pairs) else RepeatedNames(pairs)


def repeats(value: Any) -> bool:
    """Whether a name occurs twice in an object, or in what is within it."""
    if isinstance(value, RepeatedNames):
        return True
    within = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return any(map(repeats, within))


def plain_text(value: Any, mark: str = ".") -> str | None:
    """A value that is neither an object nor a list; a number gets the decimal mark that its column is read with."""
    if type(value) is str:
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, JsonNumber):
        return value.replace(".", mark)
    return value if value is None else str(value)


def is_text(value: str) -> bool:
    """False for a lone surrogate escape, which is half a character and no text."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
