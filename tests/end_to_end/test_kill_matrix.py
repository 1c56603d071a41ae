"""A kill before every commit and every file beside the tables, of every job: run again, nothing tells that it happened."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from common.errors import SourceMissingError
from common.lake import pins
from common.lake.training_manifests import manifests
from common.online.connect import open_store
from common.orchestration import staleness
from common.orchestration.job import Job
from common.training.build import build_training_set
from common.training.training_set import declared_training_set
from jobs.maintain import MAINTAIN
from jobs.publish import ONLINE
from tests.conftest import ROOT
from tests.model.expected import Record
from tests.model.world import STEPS, World, day_of, write_sales
from tests.support.datasets import datasets_in
from tests.support.kill_points import kill_points, written
from tests.support.play_lake import PlayLake

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]

TRAINING = """
from datetime import date

from common.training.steps import MinMax
from common.training.training_set import Snapshot, Split, TrainingSet

TRAINING_SETS = (
    TrainingSet(
        name="sales_baseline",
        description="What users bought",
        examples=Snapshot(table="sales@v1", label="sales_3d"),
        split=Split(train_until=date(2026, 1, 5), val_until=date(2026, 1, 6)),
        steps=(MinMax("sum_3d"),),
    ),
)
"""
# Long before anything that is kept.
LONG_AGO = "2020-01-01"
# The real thing, for a few of the moments: a step and which of its writes.
REALLY_KILLED = {"clean": 3, "features": 2, "publish": 1}

# Steps that measure their rows once they have committed them.
MEASURED, PROFILES = ("clean", "features"), "profiles/sales"

Step = Callable[[PlayLake], dict[str, Any]]


def steps(day: int, days: int) -> dict[str, Step]:
    def step(job: Job, options: dict[str, Any]) -> Step:
        return lambda lake: lake.run(job, day_of(day), **options)

    def train(lake: PlayLake) -> dict[str, Any]:
        runs = [lake.plan("training_set", day_of(number)) for number in range(days)]
        return build_training_set(runs, declared_training_set(runs[0].dataset, "sales_baseline"), None)

    chain = {name: step(job, options) for name, (job, options) in STEPS.items()}
    return {**chain, "publish online": step(ONLINE, {}), "training_set": train, "maintain": step(MAINTAIN, {})}


@pytest.fixture
def world(tmp_path: Path, spark: object) -> Iterator[World]:
    write_sales(tmp_path / "datasets")
    (tmp_path / "datasets/sales/training.py").write_text(TRAINING)
    with datasets_in(tmp_path / "datasets"):
        yield World(PlayLake(tmp_path / "quiet", "sales"))


def send_again(world: World) -> None:
    """A day between others: it corrects, moves, repeats and loses records, and brings late and refused ones."""
    world.land(0, Record("a", 1, 10, 0, 1), Record("b", 2, 20, 0, 1), Record("c", 1, 5, 0, 1))
    world.land(1, Record("a", 1, 11, 0, 2), Record("g", 2, 2, 1, 1))
    world.land(2, Record("b", 2, 20, 0, 1), Record("c", 1, 6, 1, 1), Record("d", 1, 7, 2, 1), Record("f", 2, 4, 2, 1))
    world.land(3, Record("d", 1, 8, 2, 2), Record("e", 2, 9, 3, 1), Record("h", 1, 3, 2, 3))
    for day in range(4):
        world.whole_day(day)
    world.lake.run(ONLINE, day_of(3))
    world.land(2, Record("c", 1, 6, 2, 1), Record("d", 1, 9, 2, 1), Record("g", 2, 3, 1, 2), Record("i", 2, 1, 0, 5))
    late = [f"late,2,3,{day_of(0)}T05:00:00Z", f"x,1,-1,{day_of(2)}T01:00:00Z", "torn,2"]
    world.lake.land_bytes(day_of(2), "\n".join(["key,user,amount,time", *late, ""]).encode(), "late.csv")
    leave_something_to_remove(world.lake)


def leave_something_to_remove(lake: PlayLake) -> None:
    for table in ("raw/sales", "published/sales/v1"):
        left = lake.lake_folder / table / f"ds={day_of(0)}" / "left.parquet"
        left.write_bytes(b"")
        os.utime(left, (0, 0))
    for record in (f"runs/sales/compact/{LONG_AGO}.json", f"results/sales/raw/{LONG_AGO}.json"):
        (lake.lake_folder / record).write_text(f'{{"at": "{LONG_AGO}"}}')


def validations(lake: PlayLake) -> list[dict[str, Any]]:
    """The results that the console shows, without what differs between equal runs."""
    found = [json.loads(path.read_text()) for path in sorted(lake.lake_folder.glob("results/sales/*/20??-??-??.json"))]
    return [{name: kept[name] for name in ("table", "ds", "success", "results") if name in kept} for kept in found]


def online(lake: PlayLake) -> list[Any]:
    try:
        return sorted(open_store(lake.online).texts("sales_v1"))
    except SourceMissingError:
        return []


def says(lake: PlayLake) -> dict[str, Any]:
    """All that a reader can learn from the lake."""
    place = str(lake.lake_folder)
    sets = [
        (each["version"], each["splits"], each["fitted"], each["counts"]) for each in manifests(place, "sales_baseline")
    ]
    return {
        "tables": lake.content(),
        "online": online(lake),
        "pins": [(pin.name, pin.table, pin.hash) for pin in pins.pins(place)],
        "training sets": sets,
        "validations": validations(lake),
        "stale": staleness.all_stale("sales", lake.plan("ask", day_of(0)).settings),
        "records": sorted(path for path in written(lake.root) if "/_delta_log/" not in path),
    }


def line_of(line: dict[str, Any], step: str) -> tuple[Any, ...]:
    """What a job says of its day. Publishing counts what it has just published, and maintenance what it has removed."""
    counts = {} if step.startswith(("publish", "maintain", "compact")) else line["counts"]
    return counts, line.get("stale"), line.get("left_out")


def really_kill(step: str, nth: int, lake: PlayLake, day: int, datasets: Path) -> list[str]:
    """The files that a killed process leaves."""
    job, options = STEPS[step]
    arguments = [f"--{name}={value}" for name, value in options.items()]
    places = ["--lake", str(lake.lake_folder), "--landing", str(lake.landing)]
    command = [sys.executable, "-m", "tests.support.killed", str(nth), job.name, "--dataset", "sales"]
    done = subprocess.run(
        [*command, "--ds", day_of(day), *places, *arguments],
        cwd=ROOT, env={**os.environ, "DATASETS": str(datasets)}, capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert done.returncode == -9, done.stderr
    return sorted(written(lake.root))


@dataclass
class Matrix:
    """Kills each step of a day at each of its writes; goes on with the lake in which none was killed."""

    lake: PlayLake
    folder: Path
    day: int
    chain: dict[str, Step]
    table: list[str] = field(default_factory=list)

    def kill_everywhere(self, name: str, really: int | None = None) -> list[PlayLake]:
        """Returns the lake of the last kill, after the step has run again, and those whose rows were not measured."""
        place, quiet = self.folder / name, list[Any]()
        shutil.copytree(self.lake.root, place / "before")
        points = kill_points(self.lake.root, place, lambda: quiet.append(line_of(self.chain[name](self.lake), name)))
        assert points, f"{name} writes nothing"
        if really:
            left = really_kill(
                name, really, PlayLake(place / "before", "sales"), self.day, self.folder.parent / "datasets"
            )
            assert left == sorted(written(place / str(really))), f"{name}, killed before its write {really}"
        wanted = says(self.lake)
        for number, point in enumerate(points, 1):
            result = self.run_again(name, PlayLake(point.root, "sales"), quiet[0], wanted)
            self.table.append(f"{name:18} {number:2}  {result:5}  before {point.before}")
        unmeasured = [point for point in points if name in MEASURED and PROFILES in point.before]
        return [PlayLake(point.root, "sales") for point in (*unmeasured, points[-1])]

    def run_again(self, name: str, lake: PlayLake, line: object, wanted: dict[str, Any]) -> str:
        try:
            found = line_of(self.chain[name](lake), name)
        except Exception as error:
            return f"FAILS with {error!r}"
        if found != line:
            return f"SAYS {found} instead of {line}"
        found = says(lake)
        if name in MEASURED:
            # A day killed before its rows were measured is measured by its validation.
            found["tables"].pop(PROFILES, None)
            wanted = {**wanted, "tables": {path: rows for path, rows in wanted["tables"].items() if path != PROFILES}}
        return different(found, wanted)

    def finish(self, name: str, lake: PlayLake) -> None:
        """Runs the rest of the day."""
        names = [*STEPS]
        for later in names[names.index(name) + 1 :]:
            self.chain[later](lake)


def different(found: dict[str, Any], wanted: dict[str, Any]) -> str:
    parts = [part for part in wanted if found[part] != wanted[part]]
    return f"DIFFERS in {', '.join(parts)}" if parts else "same"


@pytest.mark.parametrize(("day", "days"), [(0, 1), (2, 4)], ids=["first day of a lake", "day sent again"])
def test_a_day_killed_anywhere_equals_one_that_was_not(
    world: World, tmp_path: Path, day: int, days: int, capsys: pytest.CaptureFixture[str]
) -> None:
    if days == 1:
        world.land(0, Record("a", 1, 10, 0, 1), Record("b", 2, 20, 0, 1), Record("a", 1, 5, 0, 0))
    else:
        send_again(world)
    matrix = Matrix(world.lake, tmp_path / "killed", day, steps(day, days))
    ended = {}
    for name in matrix.chain:
        shown = len(matrix.table)
        again = matrix.kill_everywhere(name, REALLY_KILLED.get(name) if days > 1 else None)
        with capsys.disabled():
            print("", *matrix.table[shown:], sep="\n", end="", flush=True)
        if name in STEPS:
            for number, lake in enumerate(again):
                matrix.finish(name, lake)
                ended[name, number] = says(lake)
        if name == "compact":
            wanted = says(world.lake)
            assert {each: different(ended[each], wanted) for each in ended} == dict.fromkeys(ended, "same")
    assert [line for line in matrix.table if "  same   before" not in line] == []
