"""Addresses and secrets of sources: in an environment variable, or in the file that another one names; never in a contract."""

from __future__ import annotations

import os
from pathlib import Path

from common.errors import UsageError


def is_set(variable: str) -> bool:
    return bool(os.environ.get(variable, "").strip() or os.environ.get(f"{variable}_FILE"))


def from_environment(variable: str, form: str) -> str:
    """The text itself; `form` says in the error what it must look like."""
    if text := os.environ.get(variable, "").strip():
        return text
    file = os.environ.get(f"{variable}_FILE")
    if not file:
        raise UsageError(f"{variable} is not set; set it to {form}, or {variable}_FILE to a file that holds it")
    try:
        return Path(file).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise UsageError(
            f"{variable}_FILE names {file}, which can't be read ({error.strerror}); name a readable file"
        ) from None
