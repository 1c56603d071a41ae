"""An erasure that is killed leaves a lake that can be read, and the next one finishes it."""

from __future__ import annotations

from pathlib import Path

import pytest

from common.lake import pins
from tests.support.erasing import USER, others, run_erase, traces
from tests.support.kill_points import kill_points
from tests.support.play_lake import PlayLake

EVERY = 20


@pytest.mark.parametrize("every", [EVERY, pytest.param(1, marks=pytest.mark.slow)])
def test_an_erasure_killed_anywhere_is_finished_by_the_next(
    sold: PlayLake, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, every: int
) -> None:
    lake, folder = sold.copied(tmp_path), tmp_path_factory.mktemp("killed")
    before = others(lake, "user_id", int(USER))
    points = kill_points(lake.root, folder, lambda: run_erase(lake, USER), every)
    assert len(points) > 60 // every
    after = others(lake, "user_id", int(USER))
    for point in points:
        killed = PlayLake(point.root)
        found = others(killed, "user_id", int(USER))
        assert {name: found[name] for name in before} == before, point.before
        run_erase(killed, USER)
        assert traces(point.root, USER) == [], point.before
        assert others(killed, "user_id", int(USER)) == after, point.before
        pins.verify(str(killed.lake_folder), "model_1")
