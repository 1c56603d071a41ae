"""Show what ran on each day, from the run log and without Spark: `python -m common.reports.status`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from rich.console import Console
from rich.table import Table as Grid
from rich.text import Text

from common.contracts import datasets
from common.days import from_text
from common.errors import exit_on_error
from common.orchestration import run_log, stages, staleness
from common.orchestration.day_counts import SHOWN, day_count
from common.orchestration.run_log import RunRecord
from common.printable import is_text, printable
from common.runtime.command_line import CommandLine
from common.runtime.settings import load_settings
from common.sources.opening import open_period
from common.sources.source import Period

STEPS = (*stages.STEPS, "compact")
# Columns that a narrow terminal has no room for, the least needed first.
DISPENSABLE = ("versions", "seconds", "late", "duplicates", "features")
# Table versions may take several lines of this width.
VERSIONS_WIDTH = 32
WIDEST = 1 << 16
IN_A_FILE = 150


@dataclass(frozen=True)
class DayStatus:
    ds: str
    records: dict[str, RunRecord]

    def count(self, shown: str) -> int | None:
        ran = {job: record.line for job, record in self.records.items() if record.line}
        return day_count(shown, {job: line.get("counts", {}) for job, line in ran.items()})

    @property
    def closed(self) -> bool:
        """Whether nothing was expected on the day, and nothing came."""
        return "ingest" in self.records and self.records["ingest"].line.get("outcome") == "closed"

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
    if not is_text(dataset):  # a folder of that name can't be declared, nor looked up
        return []
    for (ds, job), record in run_log.records_of(lake, dataset).items():
        if job in STEPS:
            by_day.setdefault(ds, {})[job] = record
    return [DayStatus(ds, by_day[ds]) for ds in sorted(by_day)]


def changed_since(landing: str, dataset: str, days: Sequence[DayStatus]) -> list[str]:
    """The days that have changed since the last ingest, as far as their source says so."""
    contract, changed = datasets.load(dataset).contract, []
    for day in days:
        ingested = day.records["ingest"].at if "ingest" in day.records else ""
        source = open_period(Period(contract, from_text(day.ds), landing))
        if ingested and source.changed_after(datetime.fromisoformat(ingested)):
            changed.append(day.ds)
    return changed


def status_parts(days: Sequence[DayStatus], details: bool, width: int) -> Iterator[Grid | Text]:
    """Return the table of days, what it leaves out at this width, and the failures on lines of their own."""
    names = [*SHOWN, "seconds", *(["versions"] if details else [])]
    left_out = []
    grid = _grid(days, names)
    console = Console(width=width)
    for name in DISPENSABLE:
        if name in names and console.measure(grid, options=console.options.update_width(WIDEST)).minimum > width:
            names.remove(name)
            left_out.append(name)
            grid = _grid(days, names)
    yield grid
    if left_out:
        yield Text(f"A wider terminal also shows: {', '.join(left_out)}.", style="dim")
    failures = [day for day in days if day.failure]
    if failures:
        yield _failures(failures)


def _grid(days: Sequence[DayStatus], names: Sequence[str]) -> Grid:
    grid = Grid(header_style="bold", box=None, pad_edge=False, padding=(0, 1, 0, 0))
    grid.add_column("ds", no_wrap=True)
    for name in names:
        if name == "versions":
            grid.add_column(name, overflow="fold", min_width=VERSIONS_WIDTH)
        else:
            grid.add_column(name, justify="right", no_wrap=True)
    for day in days:
        counts = {name: _shown(day.count(name)) for name in SHOWN}
        if day.closed:
            counts["landed"] = "closed"
        cells = {**counts, "seconds": f"{day.seconds:,.1f}", "versions": day.versions}
        grid.add_row(day.ds, *(cells[name] for name in names))
    return grid


def _failures(days: Sequence[DayStatus]) -> Grid:
    grid = Grid(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    grid.add_column("ds", no_wrap=True)
    grid.add_column("last failure", style="red", overflow="fold")
    for day in days:
        # The message may quote data, so it is plain text, never markup.
        grid.add_row(day.ds, Text(printable(" ".join(day.failure.split()))))
    return grid


def _shown(count: int | None) -> str:
    return "-" if count is None else f"{count:,}"


@exit_on_error()
def main() -> None:
    parser = CommandLine(prog="python -m common.reports.status", description=__doc__)
    parser.with_help("make status", ".venv/bin/python -m common.reports.status --dataset NAME --short")
    parser.add_argument("--dataset", choices=datasets.names(), help="only this dataset")
    parser.add_argument("--lake", help="where the tables are (default: LAKE, then conf)")
    parser.add_argument("--env", default="local", help="read the settings in conf/<env>.yml (default: local)")
    parser.add_argument("--short", action="store_true", help="leave out the table versions")
    arguments = parser.parse_args()
    settings = load_settings(arguments.env, lake=arguments.lake)
    lake = settings.lake
    console = Console(highlight=False, emoji=False)
    if not console.is_terminal:
        console.width = max(console.width, IN_A_FILE)
    for name in [arguments.dataset] if arguments.dataset else datasets.names():
        days = day_statuses(lake, name)
        if days:
            console.print(printable(name), style="italic", markup=False)
            for part in status_parts(days, not arguments.short, console.width):
                console.print(part)
            if changed := changed_since(settings.landing, name, days):
                console.print(
                    f"The source has changed since it was read, run again: {', '.join(changed)}", style="yellow"
                )
            if stale := staleness.all_stale(name, settings):
                console.print(f"No longer up to date, run again: {', '.join(map(str, stale))}", style="yellow")
            console.print()
        else:
            console.print(f"{printable(name)}: nothing has run yet in {printable(lake)}", markup=False)


if __name__ == "__main__":
    main()
