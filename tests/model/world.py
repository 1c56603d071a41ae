"""A lake in which things happen: days land and are sent again, jobs run in any order, are killed, and meet other machines.

Each event is a method with numbers for days, so a sequence of events is a few lines that can be pasted into a test.
"""

from __future__ import annotations

import shutil
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import count
from pathlib import Path
from typing import Any

from common.contracts.contract import Column
from common.errors import ContractViolationError, LockedError, SourceMissingError
from common.lake import pins
from common.lake.log import delta_log
from common.maintenance import vacuum
from common.orchestration import staleness
from common.orchestration.job import Job
from jobs.clean import CLEAN
from jobs.compact import COMPACT
from jobs.features import FEATURES
from jobs.ingest import INGEST
from jobs.maintain import MAINTAIN
from jobs.publish import PUBLISH
from jobs.validate import VALIDATE
from tests.model import expected
from tests.model.expected import Arrived, Record
from tests.support.boundaries import boundaries, only
from tests.support.datasets import write_dataset
from tests.support.play_lake import PlayLake

CONTRACT = """
from common.contracts.aggregates import Count, Sum
from common.contracts.contract import Column, Contract, Feature, Features, Files
from common.contracts.expectations import Freshness

CONTRACT = Contract(
    name="sales",
    description="Sales of a small shop",
    columns=(
        Column(name="key", type="string", required=True, description="The number of the sale"),
        Column(name="user", type="long", required=True, description="Who bought"),
        Column(name="amount", type="long", minimum=0, maximum=9999, description="What was paid"),
        Column(name="time", type="timestamp", required=True, description="When it was sold"),
    ),
    key=("key",),
    event_time="time",
    winner=("time",),
    lateness_days=2,
    refused_share=0.5,
    source=Files(empty_day_wipes=True),
    freshness=Freshness(hours=1000),
    drift=None,
    features=Features(
        version=1, entity="user", columns=(Feature("sum_3d", Sum(3, "amount")), Feature("sales_3d", Count(3)))
    ),
)
"""
TRANSFORMS = """
def derive(rows):
    return rows


def measure(rows):
    return rows
"""
FIRST = date(2026, 1, 5)
# What a refused day brings; no reader may ever see it.
POISON = 9000
STEPS: dict[str, tuple[Job, dict[str, Any]]] = {
    "ingest": (INGEST, {}),
    "validate raw": (VALIDATE, {"table": "raw"}),
    "clean": (CLEAN, {}),
    "validate processed": (VALIDATE, {"table": "processed"}),
    "features": (FEATURES, {}),
    "validate features": (VALIDATE, {"table": "features"}),
    "publish": (PUBLISH, {}),
    "compact": (COMPACT, {}),
}
PUBLISHED = "published/sales/v1"
MOST = 9999
# What a job may say when it is run at the wrong moment.
WRONG_MOMENT = (SourceMissingError, ContractViolationError)


class Killed(BaseException):
    """Nothing in the project catches it."""


def day_of(number: int) -> str:
    return str(FIRST + timedelta(days=number))


def write_sales(datasets: Path, contract: str = CONTRACT) -> Path:
    return write_dataset(datasets, "sales", contract, TRANSFORMS)


@dataclass
class World:
    lake: PlayLake
    landed: dict[int, list[Record]] = field(default_factory=dict)
    bad: dict[int, int] = field(default_factory=dict)  # rows that are no sales, by day
    maximum: int = MOST
    pinned: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    @property
    def arrived(self) -> Arrived:
        return Arrived(self.landed, self.bad, self.maximum)

    # What happens

    def land(self, day: int, *records: Record, refused: bool = False) -> None:
        """The day is sent, or sent again. Half of the records of a refused one are no sales."""
        self.landed[day], self.bad[day] = list(records), len(records) + 1 if refused else 0
        rows = [f"{each.key},{each.user},{each.amount},{day_of(each.event)}T{each.hour:02}:00:00Z" for each in records]
        rows += [f"bad{number},1,-1,{day_of(day)}T01:00:00Z" for number in range(self.bad[day])]
        self.lake.land_bytes(day_of(day), "\n".join(["key,user,amount,time", *rows, ""]).encode())

    def withdraw(self, day: int) -> None:
        """All that was sent on the day was a mistake: its file comes again, without a row."""
        self.land(day)

    def limit(self, maximum: int) -> None:
        """The contract allows only so much for an amount."""
        self.maximum = maximum
        self.lake = self.lake.with_contract(columns=self.lake.columns("amount", maximum=maximum))

    def gain_column(self) -> None:
        """The contract declares a column that no file has yet."""
        columns = self.lake.contract.columns
        if "note" not in [column.name for column in columns]:
            note = Column(name="note", type="string", description="What the buyer wrote")
            self.lake = self.lake.with_contract(columns=(*columns, note))

    def pin(self, name: str) -> None:
        """Somebody keeps what is published now, if anything is."""
        newest = delta_log.version(str(self.lake.lake_folder / PUBLISHED))
        if newest >= 0 and name not in self.pinned:
            pins.pin(str(self.lake.lake_folder), name, PUBLISHED, newest)
            self.pinned[name] = self._of_pin(name)

    def vacuum(self, day: int) -> None:
        """Removes every file that neither the newest version nor a pin needs."""
        vacuum.vacuum(self.lake.plan("maintain", day_of(day)), older_than_hours=0)

    def run(self, step: str, day: int, full_refresh: bool = False) -> None:
        job, options = STEPS[step]
        with suppress(*WRONG_MOMENT):
            self.lake.run(job, day_of(day), full_refresh=full_refresh, **options)

    def whole_day(self, day: int) -> None:
        for step in STEPS:
            self.run(step, day)

    def maintain(self, day: int) -> None:
        self.lake.run(MAINTAIN, day_of(day))

    def lose_the_run_log(self) -> None:
        shutil.rmtree(self.lake.lake_folder / "runs", ignore_errors=True)

    def killed(self, nth: int, step: str, day: int) -> None:
        """The step is killed before the nth thing that it writes, if it writes so many."""

        def kill() -> None:
            raise Killed

        with boundaries(only(nth, kill)), suppress(Killed):
            self.run(step, day)

    def meanwhile(self, nth: int, step: str, day: int, other_step: str, other_day: int) -> None:
        """Another machine runs a step between a decision and its commit, the nth one of the step."""
        commits = count(1)

        def reached(_: int, what: str) -> None:
            if what.startswith("a commit") and next(commits) == nth:
                # A validation commits its profiles in a thread that does not hold the lock of its day.
                with suppress(LockedError):
                    self.run(other_step, other_day)

        with boundaries(reached):
            self.run(step, day)

    # What must hold

    def require_no_poison(self) -> None:
        """No reader sees a row that the gate did not pass."""
        if (self.lake.lake_folder / PUBLISHED).exists():
            rows = self.lake.rows("published", f"sum_3d >= {POISON}", PUBLISHED)
            assert rows == [], "readers see a refused day"

    def require_pins(self) -> None:
        for name, rows in self.pinned.items():
            assert self._of_pin(name) == rows, name

    def heal(self) -> None:
        """What an operator does: runs the days that landed, and then those that are stale."""
        days = sorted(self.landed)
        for _ in range(6):
            for day in days:
                self.whole_day(day)
                self.require_no_poison()
            stale = staleness.all_stale("sales", self.lake.plan("ask", day_of(0)).settings)
            days = [
                day
                for day in sorted(self.landed)
                if date.fromisoformat(day_of(day)) in stale and day not in self.arrived.refused
            ]
            if not days:
                return
        raise AssertionError(f"days {days} are stale whatever is run")

    def require_expected(self) -> None:
        arrived = self.arrived
        stored = expected.superseded(arrived.versions)
        current = sorted(each for each, ended in stored.items() if ended is None)
        replaced = sorted((each, ended) for each, ended in stored.items() if ended is not None)
        assert self._versions("processed") == current
        assert [(version, ended) for version, ended in self._replaced()] == replaced
        for day in sorted(set(self.landed) - arrived.refused):
            wanted = expected.features(arrived, day)
            for kind in ("features", "published"):
                assert self._features(kind, day) == wanted, f"{kind} of day {day}"
        self.require_pins()

    def _versions(self, kind: str) -> list[expected.Version]:
        return sorted(_version(row) for row in self.lake.rows(kind))

    def _replaced(self) -> list[tuple[expected.Version, int]]:
        return sorted((_version(row), _number(row["superseded"])) for row in self.lake.rows("superseded"))

    def _of_pin(self, name: str) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = self.lake.published.at(pin=name).arrow().to_pylist()
        return sorted(rows, key=str)

    def _features(self, kind: str, day: int) -> dict[int, tuple[int, int]]:
        rows = self.lake.rows(kind, f"ds = '{day_of(day)}'", f"{kind}/sales/v1")
        return {row["user"]: (int(row["sum_3d"]), row["sales_3d"]) for row in rows}


def _number(day: date) -> int:
    return (day - FIRST).days


def _version(row: dict[str, Any]) -> expected.Version:
    record = Record(row["key"], row["user"], row["amount"], _number(row["event_date"]), row["time"].hour)
    return expected.Version(record, _number(row["arrived"]))
