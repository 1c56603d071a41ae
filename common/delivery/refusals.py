"""What a PostgreSQL server says as it refuses or fails, in our words."""

from __future__ import annotations

from typing import NoReturn

import psycopg

from common.errors import ContractViolationError, LockedError, PipelineError, UsageError

LOGIN = "28"
_LOGIN = (UsageError, "refuses the login", "Correct {variable}, or the file that {variable}_FILE names")
_RIGHTS = (UsageError, "forbids it", "Give the user the right, or correct conf; nothing was replaced")
_ROWS = (ContractViolationError, "refuses the rows", "Nothing was replaced; change the target's constraint or the rows")
# By the first letters of a SQL state: the error, what it is about, and what to do.
EXPLAINED: tuple[tuple[str, type[PipelineError], str, str], ...] = (
    (LOGIN, *_LOGIN),
    ("3D", *_LOGIN),
    ("42501", *_RIGHTS),
    ("25006", *_RIGHTS),
    ("3F", *_RIGHTS),
    ("22", *_ROWS),
    ("23", *_ROWS),
    ("55P03", LockedError, "is held by another delivery of the table", "Nothing was replaced; run it again later"),
    (
        "57014",
        PipelineError,
        "took longer than the target's `seconds` for one statement",
        "Nothing was replaced; run it again, or allow more in conf",
    ),
    ("53", PipelineError, "is full", "Nothing was replaced; make room, and run it again"),
)


def explain(place: str, variable: str, error: psycopg.Error) -> NoReturn:
    state, said = error.sqlstate or "", " ".join(str(error).split())
    # A connection that was refused has no state.
    if not state and "FATAL" in said:
        state = LOGIN
    for start, kind, problem, to_do in EXPLAINED:
        if state.startswith(start):
            raise kind(f"{place} {problem}: {said}. {to_do.format(variable=variable)}") from None
    raise PipelineError(
        f"{place} can't be reached or failed: {said}. It holds the old rows or the new ones, never a mixture; "
        "run it again"
    ) from None
