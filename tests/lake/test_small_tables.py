"""Writing equal rows to a small table writes nothing."""

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from common.quality import profiles
from common.quality.profiles import Profile
from tests.support.play_lake import PlayLake

DAY = date(2026, 1, 5)
FACT = Profile(DAY, "processed", "age", "", "double", 2, 0, 2, "1.0", "2.0", 1.5, 0.5, [1.0, 2.0], None)


@pytest.mark.parametrize("number", [0.5, float("inf"), float("nan")])
def test_writing_equal_numbers_again_writes_nothing(tmp_path: Path, number: float) -> None:
    lake = PlayLake(tmp_path)
    run = lake.plan("validate", str(DAY))
    found = [replace(FACT, deviation=number, quantiles=[1.0, number]), replace(FACT, column="amount")]
    profiles.keep(run, "processed", found)
    before = lake.state()
    profiles.keep(run, "processed", found[::-1])
    assert lake.state() == before
    profiles.keep(run, "processed", [found[0], replace(found[1], rows=3)])
    assert lake.state() != before
