"""Two machines without a common lock write the same tables at once: Delta refuses one of the commits, and the lake heals."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from common.lake.storage import retry
from tests.model.expected import Record
from tests.model.world import STEPS, World, write_sales
from tests.support.datasets import datasets_in
from tests.support.play_lake import PlayLake

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]

# What one machine runs of day 1, what the other runs meanwhile, of which day, and whether the first one's commit is refused.
PAIRS = [
    ("ingest", "ingest", 1, True),
    ("ingest", "ingest", 0, False),
    ("clean", "clean", 1, True),
    ("clean", "clean", 0, True),
    ("clean", "ingest", 1, False),
    ("validate processed", "validate processed", 1, True),
    ("features", "features", 1, True),
    ("features", "clean", 0, False),
    ("features", "features", 0, False),
    ("validate features", "validate features", 1, True),
    ("publish", "publish", 1, True),
    ("publish", "features", 1, False),
]


def test_each_pair_of_jobs_at_once_leaves_what_the_model_says(
    tmp_path: Path, spark: object, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    refused: list[str] = []

    def pause(low: float, high: float) -> float:
        """Both ways of retrying draw how long to wait, while they handle the conflict."""
        refused.append(type(sys.exception()).__name__)
        return 0.0

    monkeypatch.setattr(retry.random, "uniform", pause)
    write_sales(tmp_path / "datasets")
    wrong = []
    with datasets_in(tmp_path / "datasets"):
        world = World(PlayLake(tmp_path / "lake", "sales"))
        world.land(0, Record("a", 1, 10, 0, 1), Record("b", 2, 20, 0, 1), Record("c", 1, 5, 0, 1))
        world.whole_day(0)
        world.land(0, Record("a", 1, 12, 0, 1), Record("b", 2, 20, 0, 1), Record("c", 1, 5, 0, 1))
        world.land(1, Record("a", 1, 11, 0, 2), Record("b", 2, 25, 1, 1), Record("d", 1, 7, 1, 1))
        for step in STEPS:
            for number, (one, other, day, expected) in enumerate(PAIRS):
                if one != step:
                    continue
                # A folder of its own: a process remembers what it has read of a lake.
                shutil.copytree(world.lake.root, tmp_path / f"pair {number}")
                pair = World(PlayLake(tmp_path / f"pair {number}", "sales"), dict(world.landed))
                if other == "clean" and day == 0:
                    pair.run("ingest", 0)
                refused.clear()
                pair.meanwhile(1, one, 1, other, day)
                found = [*refused]
                pair.heal()
                pair.require_expected()
                with capsys.disabled():
                    print(f"{one:20} {other:20} of day {day}  {', '.join(found) or 'both committed'}", flush=True)
                if bool(found) != expected:
                    wrong.append((one, other, day, found))
            world.run(step, 1)
    assert wrong == []
