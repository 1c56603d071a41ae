"""kill -9 before every commit and side file of every step of a day: run again, the lake equals one that was never killed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.model.expected import Record
from tests.model.world import STEPS, World, day_of, write_dataset
from tests.support.boundaries import boundaries
from tests.support.datasets import datasets_in
from tests.support.play_lake import PlayLake

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]


@dataclass(frozen=True)
class Boundary:
    step: str
    nth: int
    writes: str
    before: Path  # the folders as they are before the step

    def __str__(self) -> str:
        return f"{self.step:20} {self.nth}  {self.writes}"


@pytest.fixture
def world(tmp_path: Path, spark: object) -> Iterator[World]:
    """A day that corrects, moves, repeats and loses records of the day before, and brings late and refused ones."""
    write_dataset(tmp_path / "datasets")
    with datasets_in(tmp_path / "datasets"):
        world = World(PlayLake(tmp_path / "clean", "sales"))
        known = [Record("a", 1, 10, 0, 1), Record("b", 2, 20, 0, 1), Record("c", 1, 5, 0, 1)]
        world.land(0, *known)
        world.whole_day(0)
        world.land(
            1, Record("a", 1, 11, 0, 2), Record("b", 2, 20, 0, 1), Record("c", 1, 6, 1, 1), Record("d", 1, 7, 1, 1)
        )
        late = [f"late,2,3,{day_of(0)}T05:00:00Z", f"x,1,-1,{day_of(1)}T01:00:00Z"]
        world.lake.land_bytes(day_of(1), "\n".join(["key,user,amount,time", *late, ""]).encode(), "late.csv")
        yield world


def every_boundary(world: World, folder: Path) -> list[Boundary]:
    """Runs the day once, undisturbed."""
    found = []
    for number, step in enumerate(STEPS):
        before = folder / f"before {number}"
        shutil.copytree(world.lake.root, before)
        with boundaries({}) as written:
            world.run(step, 1)
        found += [Boundary(step, nth, what, before) for nth, what in enumerate(written, 1)]
    return found


def kill(boundary: Boundary, lake: PlayLake, datasets: Path) -> int:
    job, options = STEPS[boundary.step]
    arguments = [f"--{name}={value}" for name, value in options.items()]
    places = ["--lake", str(lake.lake_folder), "--landing", str(lake.landing)]
    command = [sys.executable, "-m", "tests.support.killed", str(boundary.nth), job.name, "--dataset", "sales"]
    done = subprocess.run(
        [*command, "--ds", day_of(1), *places, *arguments],
        cwd=ROOT, env={**os.environ, "DATASETS": str(datasets)}, capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert done.returncode in (-9, 0), done.stderr
    return done.returncode


def test_a_day_killed_anywhere_equals_one_that_was_not(
    world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = every_boundary(world, tmp_path)
    wanted = world.lake.content()
    lines = []
    for boundary in found:
        shutil.copytree(boundary.before, tmp_path / "killed")
        lake = PlayLake(tmp_path / "killed", "sales")
        code = kill(boundary, lake, tmp_path / "datasets")
        World(lake).whole_day(1)
        same = lake.content() == wanted
        lines.append(f"{boundary}  {'killed' if code else 'wrote less than that'}  {'same' if same else 'DIFFERS'}")
        with capsys.disabled():
            print(lines[-1], flush=True)
        shutil.rmtree(tmp_path / "killed")
    assert len(found) > 20, json.dumps([str(each) for each in found], indent=1)
    assert not [line for line in lines if "DIFFERS" in line]
    assert sum("  killed  " in line for line in lines) == len(found)
