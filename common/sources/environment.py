"""What only the environment tells: addresses with logins, which reach no argument, log, plan or commit."""

from __future__ import annotations

import os
from pathlib import Path

from common.errors import UsageError


def secret_text(variable: str, form: str) -> str:
    """The value of a variable, or what the file holds that `<variable>_FILE` names."""
    if text := os.environ.get(variable):
        return text.strip()
    file = os.environ.get(f"{variable}_FILE")
    if not file:
        raise UsageError(f"{variable} is not set; set it to {form}, or {variable}_FILE to a file that holds it")
    try:
        return Path(file).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise UsageError(
            f"{variable}_FILE names {file}, which can't be read ({error.strerror}); name a readable file"
        ) from None
