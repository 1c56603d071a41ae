"""One lake with every kind of table, made once."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.support.erasing import customers, purchases
from tests.support.play_lake import PlayLake


@pytest.fixture(scope="session")
def sold(tmp_path_factory: pytest.TempPathFactory, spark: object) -> PlayLake:
    """Events alone."""
    return purchases(tmp_path_factory.mktemp("sold"))


@pytest.fixture(scope="session")
def whole(tmp_path_factory: pytest.TempPathFactory, trained_once: PlayLake, sold: PlayLake) -> Path:
    root = tmp_path_factory.mktemp("whole")
    for made in (trained_once, sold):
        made.copied(root)
    customers(root)
    return root


@pytest.fixture
def root(tmp_path: Path, whole: Path) -> Path:
    shutil.copytree(whole, tmp_path, dirs_exist_ok=True)
    return tmp_path
