"""A third dataset that a test may spoil."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.datasets import datasets_in
from tests.support.visits import write_visits


@pytest.fixture
def visits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Its folder; paths in messages are relative to the folder above."""
    monkeypatch.chdir(tmp_path)
    with datasets_in(tmp_path):
        yield write_visits(tmp_path)
