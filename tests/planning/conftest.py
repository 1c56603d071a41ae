"""A lake of three days that were run once, copied for each test."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from common.orchestration.stages import STEPS
from common.planning.foresight import When
from tests.model.world import CONTRACT, write_sales
from tests.support.planned import DAYS, FIRST, HELPER, SECOND, THIRD, backfilled, land, planned, sale, steps
from tests.support.play_lake import PlayLake


@pytest.fixture(scope="package", autouse=True)
def changed_code_is_read_anew() -> Iterator[None]:
    """Python tells a changed file from its compiled one by its size and second."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(sys, "dont_write_bytecode", True)
        yield


@pytest.fixture(scope="package")
def ran_once(tmp_path_factory: pytest.TempPathFactory, spark: object) -> Path:
    lake = PlayLake(tmp_path_factory.mktemp("sales"), "sales")
    write_sales(lake.root / "datasets", CONTRACT)
    with (lake.root / "datasets/sales/transforms.py").open("a") as file:
        file.write(HELPER)
    land(lake, FIRST, sale("a", FIRST), sale("b", FIRST, 9000))
    land(lake, SECOND, sale("c", SECOND))
    land(lake, THIRD, sale("d", THIRD))
    assert planned(lake)[When.NOW] == backfilled(lake) == steps(tuple(STEPS), *DAYS)
    assert planned(lake) == {when: set() for when in When}
    return lake.root


@pytest.fixture
def lake(tmp_path: Path, ran_once: Path) -> PlayLake:
    shutil.copytree(ran_once, tmp_path, dirs_exist_ok=True)
    return PlayLake(tmp_path, "sales")
