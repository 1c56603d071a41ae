"""A folder of datasets that a test brings along."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import jobs.datasets


@contextmanager
def datasets_in(folder: Path) -> Iterator[None]:
    """Finds the datasets of the folder inside the block, and forgets them after it."""
    try:
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(jobs.datasets, "__path__", [*jobs.datasets.__path__, str(folder)])
            yield
    finally:
        for dataset in [each.name for each in folder.iterdir() if each.is_dir()]:
            for module in [name for name in sys.modules if f"{name}.".startswith(f"jobs.datasets.{dataset}.")]:
                del sys.modules[module]
