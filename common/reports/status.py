"""Show what ran on each day, from the run log and without Spark: `python -m common.reports.status`."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table as Grid
from rich.text import Text

from common.contracts import datasets
from common.errors import exit_on_error
from common.orchestration import run_log
from common.orchestration.run_log import RunRecord
from common.printable import printable
from common.runtime.settings import load_settings

STEPS = ("ingest", "validate-raw", "clean", "validate-processed", "features", "validate-features", "publish", "compact")
# On a narrower console the numbers would be cut off.
NARROWEST = 150
# Column of the report -> the job, and those of its counts that the column adds up.
COLUMNS = {
    "landed": ("ingest", ("landed",)),
    "accepted": ("clean", ("accepted", "late")),
    "quarantined": ("both", ("quarantined",)),
    "duplicates": ("clean", ("duplicates", "superseded")),
    "late": ("clean", ("late",)),
    "features": ("features", ("features",)),
    "published": ("publish", ("rows",)),
}


@dataclass(frozen=True)
class DayStatus:
    ds: str
    records: dict[str, RunRecord]

    def count(self, column: str) -> int | None:
        job, names = COLUMNS[column]
        jobs = ("ingest", "clean") if job == "both" else (job,)
        recorded = [self.records[name].line.get("counts", {}) for name in jobs if name in self.records]
        return sum(counts.get(name, 0) for counts in recorded for name in names) if recorded else None

    @property
    def seconds(self) -> float:
        return float(sum(record.line.get("seconds", 0.0) for record in self.records.values()))

    @property
    def failure(self) -> str:
        """Return the first step that failed, with its message."""
        for step in STEPS:
            record = self.records.get(step)
            if record and record.failure:
                return f"{step}: {record.failure['message']}"
        return ""

    @property
    def versions(self) -> str:
        """Return the newest version that the day's runs wrote to each kind of table."""
        written = {path: v for record in self.records.values() for path, v in record.line.get("written", {}).items()}
        return " ".join(
            f"{path.split('/')[0]}@{version}" for path, version in written.items() if "partials" not in path
        )


def day_statuses(lake: str, dataset: str) -> list[DayStatus]:
    by_day: dict[str, dict[str, RunRecord]] = {}
    for (ds, job), record in run_log.records_of(lake, dataset).items():
        if job in STEPS:
            by_day.setdefault(ds, {})[job] = record
    return [DayStatus(ds, by_day[ds]) for ds in sorted(by_day)]


def status_table(dataset: str, days: Iterable[DayStatus], details: bool) -> Grid:
    grid = Grid(title=dataset, title_justify="left", header_style="bold", box=None, pad_edge=False)
    grid.add_column("ds", no_wrap=True)
    for name in (*COLUMNS, "seconds"):
        grid.add_column(name, justify="right", no_wrap=True)
    if details:
        grid.add_column("versions", no_wrap=True)
    grid.add_column("last failure", style="red")
    for day in days:
        counts = [_shown(day.count(name)) for name in COLUMNS]
        versions = [day.versions] if details else []
        # The message may quote data, so it is plain text, never markup.
        grid.add_row(day.ds, *counts, f"{day.seconds:,.1f}", *versions, Text(printable(day.failure[:160])))
    return grid


def _shown(count: int | None) -> str:
    return "-" if count is None else f"{count:,}"


@exit_on_error()
def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m common.reports.status", description=__doc__)
    parser.add_argument("--dataset", choices=datasets.names(), help="only this dataset")
    parser.add_argument("--lake", help="where the tables are (default: LAKE, then conf)")
    parser.add_argument("--env", default="local")
    parser.add_argument("--short", action="store_true", help="leave out the table versions")
    arguments = parser.parse_args()
    lake = load_settings(arguments.env, lake=arguments.lake).lake
    console = Console()
    console.width = max(console.width, NARROWEST)
    for name in [arguments.dataset] if arguments.dataset else datasets.names():
        days = day_statuses(lake, name)
        if days:
            console.print(status_table(name, days, details=not arguments.short), "")
        else:
            console.print(f"{name}: nothing has run yet in {lake}", markup=False)


if __name__ == "__main__":
    main()
