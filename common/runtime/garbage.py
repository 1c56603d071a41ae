"""Garbage collection of a process that reads much and ends."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def collecting_nothing() -> Iterator[None]:
    """Logs become many small objects that live until the end: garbage collection among them is slow and finds none."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()  # or Python collects once more when it ends
        gc.enable()
