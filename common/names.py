"""The pattern for names of datasets, columns, pins and training sets, and what a mistyped name was meant to be."""

from __future__ import annotations

import re
from collections.abc import Iterable

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
