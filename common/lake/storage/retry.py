"""Retry after a conflict with another writer, with pauses of random length."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
TRIES = 5


def retry(action: Callable[[], T], conflicts: tuple[type[Exception], ...], shortest: float, longest: float) -> T:
    """The pauses, in seconds, grow from try to try. Any other exception, and the last conflict, is raised."""
    for attempt in range(1, TRIES):
        try:
            return action()
        except conflicts:
            time.sleep(random.uniform(shortest, longest) * attempt)  # noqa: S311
    return action()
