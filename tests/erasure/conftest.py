"""One lake with every kind of table, made once."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.support.erasing import customers, purchases


@pytest.fixture(scope="session")
def whole(tmp_path_factory: pytest.TempPathFactory, two_days: Path) -> Path:
    root = tmp_path_factory.mktemp("whole")
    shutil.copytree(two_days, root, dirs_exist_ok=True)
    purchases(root)
    customers(root)
    return root


@pytest.fixture
def root(tmp_path: Path, whole: Path) -> Path:
    shutil.copytree(whole, tmp_path, dirs_exist_ok=True)
    return tmp_path
