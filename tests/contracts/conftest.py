"""A third dataset that a test may spoil."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import jobs.datasets
from tests.support.visits import write_visits


@pytest.fixture
def visits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Its folder; paths in messages are relative to the folder above."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(jobs.datasets, "__path__", [*jobs.datasets.__path__, str(tmp_path)])
    yield write_visits(tmp_path)
    for module in [name for name in sys.modules if name.startswith("jobs.datasets.visits")]:
        del sys.modules[module]
