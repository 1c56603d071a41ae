"""A small customer base that has been through the chain once, copied for each test that looks at it."""

import shutil
from pathlib import Path

import pytest

from tests.lake import Lake

DAYS = ("2026-01-05", "2026-01-06")


@pytest.fixture(scope="session")
def two_days(tmp_path_factory: pytest.TempPathFactory, spark: object) -> Path:
    lake = Lake(tmp_path_factory.mktemp("churn"), "churn")
    for ds in DAYS:
        lake.publish_customers(ds)
    return lake.root


@pytest.fixture
def churn(tmp_path: Path, two_days: Path) -> Lake:
    """Two published days of a small customer base."""
    shutil.copytree(two_days, tmp_path, dirs_exist_ok=True)
    return Lake(tmp_path, "churn")
