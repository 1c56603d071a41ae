"""JSON values whose numbers keep the text that was sent."""

from __future__ import annotations

from typing import Any


class JsonNumber(str):
    """The text of a number, distinct from a text that looks like one."""


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
