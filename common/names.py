"""The pattern for names of datasets, columns, pins and training sets, and what a mistyped name was meant to be."""

from __future__ import annotations

import re
from argparse import ArgumentTypeError
from collections import Counter
from collections.abc import Iterable, Sequence

from common.errors import UsageError

LONGEST_NAME = 63
NAME = re.compile(rf"[a-z][a-z0-9_]{{0,{LONGEST_NAME - 1}}}")


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """' (did you mean NAME?)' where a known name is close, else nothing; to append to what was found."""
    from difflib import get_close_matches

    names = {other: other for other in known}
    lower = {other.lower(): other for other in names}
    for word, choices in ((name, names), (name.lower(), lower)):
        if close := get_close_matches(word, choices, n=1):
            return f" (did you mean {choices[close[0]]}?)"
    return ""


def repeated(names: Sequence[str]) -> list[str]:
    return sorted(name for name, count in Counter(names).items() if count > 1)


def require_name(name: str, what: str) -> str:
    """Return a name that becomes part of a path; raise for one that could lead to another folder."""
    if not NAME.fullmatch(name):
        raise UsageError(
            f"{name!r} can't be the name of {what}; expected lower-case letters, digits and _, a letter first"
        )
    return name


def whole_number(text: str) -> int:
    """The type of a version or a count on a command line."""
    if not re.fullmatch(r"\d{1,12}", text, re.ASCII):
        raise ArgumentTypeError(f"{text!r} is not a whole number of at most 12 digits")
    return int(text)
