"""The pattern for names of datasets, columns, pins and training sets, and the name that was meant by a wrong one."""

from __future__ import annotations

import re
from collections.abc import Iterable

LONGEST_NAME = 63
NAME = re.compile(rf"[a-z][a-z0-9_]{{0,{LONGEST_NAME - 1}}}")


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return the end of a message about an unknown name; empty if no known one is close."""
    from difflib import get_close_matches

    close = get_close_matches(name, list(known), 1)
    return f"; did you mean {close[0]}?" if close else ""
