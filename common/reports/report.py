"""One page of the last days, drawn from the log of runs and small tables: `python -m common.reports.report` needs no Spark."""

from __future__ import annotations

import argparse
import os
import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import cached_property
from itertools import product
from pathlib import Path
from typing import Any
from urllib.parse import quote

import jinja2
import pyarrow.compute as pc

from common.contracts import datasets
from common.contracts.contract import TABLES, Contract
from common.days import LONGEST_RANGE, day_range, parse_day
from common.errors import SourceMissingError, UsageError, exit_on_error
from common.lake import delta_log, small_tables
from common.lake.files import list_files, local_path, read_json
from common.orchestration import run_log
from common.quality import gx
from common.reports import status, svg
from common.reports.status import STEPS, DayStatus
from common.runtime.settings import CONF, load_settings

STATES = ("failed", "unable", "warned", "passed", "none")  # the worst first
# What a result may leave out.
UNSAID = dict.fromkeys(("column", "observed", "limit", "problem", "examples")) | {"checked": 0, "failed": 0}


@dataclass(frozen=True)
class Track:
    """One rule over the days."""

    table: str
    column: str
    kind: str
    cells: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def latest(self) -> dict[str, Any]:
        return self.cells[max(self.cells)]

    @property
    def steady(self) -> bool:
        return all(cell["state"] == "passed" for cell in self.cells.values())

    def over(self, days: Sequence[str], what: str) -> list[Any]:
        return [self.cells[day][what] if day in self.cells else None for day in days]

    @property
    def rank(self) -> tuple[bool, bool, float]:
        """Orders measures of drift: the PSI of all rows before others, the largest first."""
        psi = self.latest["expectation"].startswith("Psi")
        return self.kind != "drift", not psi, -(svg.number(self.latest["observed"]) or 0)


@dataclass(frozen=True)
class DatasetReport:
    """What the page says of one dataset."""

    contract: Contract
    window: list[str]
    days: dict[str, DayStatus]
    tracks: list[Track]
    reasons: dict[str, list[int]]
    profiled: str
    profile: list[dict[str, Any]]

    def step(self, day: str, step: str) -> tuple[str, str]:
        """What came of a job on a day, and what it said where it failed."""
        record = self.days[day].records.get(step) if day in self.days else None
        if record and record.failure:
            return "failed", str(record.failure.get("message", ""))
        return "passed" if record and record.done else "none", ""

    def state(self, day: str) -> str:
        """The worst of the day; a rule that could not be checked stops a day like one that failed."""
        found = {*(self.step(day, step)[0] for step in STEPS), *(track.cells[day]["state"] for track in self.on(day))}
        return "failed" if "unable" in found else min(found, key=STATES.index)

    @cached_property
    def ran(self) -> list[str]:
        return [day for day in self.window if self.state(day) != "none"]

    @property
    def newest(self) -> str:
        return max(self.ran, default="")

    @property
    def days_behind(self) -> int:
        return self.window[::-1].index(self.newest)

    @property
    def undone(self) -> list[str]:
        """The jobs that the newest day still waits for; it can be read without compact."""
        return [step for step in STEPS if step != "compact" and self.step(self.newest, step)[0] == "none"]

    @property
    def verdict(self) -> str:
        state = self.state(self.newest)
        return "warned" if state == "passed" and (self.days_behind or self.undone) else state

    @property
    def since(self) -> str:
        """The first of the days in a row that ended as the newest did; empty where all of them did."""
        others = [place for place, day in enumerate(self.ran) if self.state(day) != self.state(self.newest)]
        return self.ran[others[-1] + 1] if others else ""

    @cached_property
    def volumes(self) -> dict[str, list[int]]:
        """The landed rows of each day by what became of them; `waiting` are those that no job has judged yet."""
        names = ("accepted", "duplicates", "quarantined", "landed")
        found = {name: [(day and day.count(name)) or 0 for day in map(self.days.get, self.window)] for name in names}
        found["waiting"] = [max(0, landed - sum(rest)) for *rest, landed in zip(*found.values(), strict=True)]
        return found

    def on(self, day: str) -> list[Track]:
        """The rules that were checked on a day, the worst first."""
        found = [track for track in self.tracks if day in track.cells]
        return sorted(found, key=lambda track: STATES.index(track.cells[day]["state"]))

    @cached_property
    def drift(self) -> list[list[Track]]:
        """The measures of each column, the largest on top."""
        found = sorted((track for track in self.tracks if track.kind in ("drift", "concept")), key=lambda t: t.rank)
        columns: dict[tuple[str, str], list[Track]] = defaultdict(list)
        for track in found:
            columns[track.table, track.column].append(track)
        return list(columns.values())

    @property
    def failures(self) -> list[tuple[str, str, str]]:
        """Day, job and message of the failures that still stand, the newest first."""
        found = [(day, step, *self.step(day, step)) for day in reversed(self.window) for step in STEPS]
        return [(day, step, message) for day, step, state, message in found if state == "failed"]


def results(lake: str, dataset: str, window: Sequence[str]) -> list[Track]:
    """Every rule that was checked in those days, in the order of the tables and of their rules."""
    found: dict[tuple[str, ...], Track] = {}
    for table, day in product(TABLES, window):
        content = read_json(run_log.results_place(lake, dataset, table, day)) or {}
        for said in content.get("results", []):
            result = {**UNSAID, "kind": "rows", "severity": "error", **said}
            # The arguments of a rule on rows tell it from others; elsewhere they are limits, which may move.
            name = said["expectation"] if result["kind"] == "rows" else re.sub(r"\(.*\)", "", said["expectation"])
            key = (table, name, result["column"])
            track = found.setdefault(key, Track(table, result["column"] or "", result["kind"]))
            track.cells[day] = {**result, "state": _state(result)}
    return list(found.values())


def _state(result: dict[str, Any]) -> str:
    if result["problem"] or result["success"]:
        return "unable" if result["problem"] else "passed"
    return "warned" if result["severity"] == "warn" else "failed"


def reasons(lake: str, dataset: str, window: Sequence[str]) -> dict[str, list[int]]:
    """Refused rows of each day by reason, the most frequent reason first."""
    found: dict[str, dict[str, int]] = defaultdict(Counter)
    rows = small_tables.read_slice(f"{lake}/quarantine/{dataset}", {"ds": _dates(window)}, ["ds", "copies", "reasons"])
    if not rows.num_rows:
        return {}
    rows = rows.combine_chunks()
    each_reason = rows.select(["ds", "copies"]).take(pc.list_parent_indices(rows["reasons"]))
    each_reason = each_reason.append_column("reason", pc.list_flatten(rows["reasons"]))
    for each in each_reason.group_by(["ds", "reason"]).aggregate([("copies", "sum")]).to_pylist():
        found[each["reason"]][str(each["ds"])] += each["copies_sum"]
    by_day = {reason: [counts[day] for day in window] for reason, counts in found.items()}
    return dict(sorted(by_day.items(), key=lambda item: -sum(item[1])))


def profile(lake: str, dataset: str, window: Sequence[str]) -> tuple[str, list[dict[str, Any]]]:
    """The newest day that was profiled, and its columns, each with its means by label."""
    uri = f"{lake}/profiles/{dataset}"
    day = max((file.partition["ds"] for file in delta_log.files(uri, ds=list(window))), default="")
    rows = small_tables.read_slice(uri, {"ds": _dates([day])}).to_pylist() if day else []
    means: dict[tuple[str, str], dict[str, Any]] = defaultdict(dict)
    for row in rows:
        means[row["table"], row["column"]][row["label"]] = row["mean"]
    everybody = [{**row, "means": means[row["table"], row["column"]]} for row in rows if not row["label"]]
    return day, sorted(everybody, key=lambda row: TABLES.index(row["table"]))


def _dates(window: Sequence[str]) -> list[date]:
    return [date.fromisoformat(day) for day in window]


def window_of(lake: str, until: date | None, days: int) -> list[str]:
    """The days to show: so many to the last, from the first that anything has run for."""
    names = [
        file.base_name
        for place in (run_log.FOLDER, run_log.RESULTS)
        for file in list_files(f"{lake}/{place}", recursive=True)
    ]
    known = {name.removesuffix(".json") for name in names if re.fullmatch(r"\d{4}-\d{2}-\d{2}\.json", name)}
    if not known:
        raise SourceMissingError(f"nothing has run yet in {lake}: run a day first, `make demo` for example")
    last = until or parse_day(max(known))
    return [day for day in map(str, day_range(last, days - 1)) if day >= min(known)] or [str(last)]


def dataset_report(lake: str, dataset: str, window: list[str]) -> DatasetReport:
    where = (lake, dataset, window)
    days = {day.ds: day for day in status.day_statuses(lake, dataset)}
    return DatasetReport(
        datasets.load(dataset).contract, window, days, results(*where), reasons(*where), *profile(*where)
    )


def render_page(lake: str, window: list[str], out: Path) -> str:
    loader = jinja2.FileSystemLoader(CONF)
    drawing = jinja2.Environment(loader=loader, autoescape=True, undefined=jinja2.StrictUndefined)
    drawing.trim_blocks = drawing.lstrip_blocks = True
    drawing.filters |= {"figure": svg.figure, "number": svg.number, "day": svg.day, "shortly": svg.shortly}
    index = local_path(lake) / gx.PAGE
    link = quote(os.path.relpath(index, out.parent)) if index.is_file() else ""
    shown = {"window": window, "steps": STEPS, "tables": TABLES, "plots": svg, "docs": link, "lake": lake}
    found = [dataset_report(lake, name, window) for name in datasets.names()]
    return drawing.get_template("report.html.j2").render(shown, datasets=found, made=datetime.now(UTC))


@exit_on_error()
def main() -> None:
    arguments = argparse.ArgumentParser(prog="python -m common.reports.report", description=__doc__)
    arguments.add_argument("--out", type=Path, default=Path("data/report.html"))
    arguments.add_argument("--ds", help="the last day to show (default: the newest)")
    arguments.add_argument("--days", type=int, default=30, help="how many days to show (default: 30)")
    arguments.add_argument("--env", default="local")
    given = arguments.parse_args()
    if not 1 <= given.days <= LONGEST_RANGE:
        raise UsageError(f"--days {given.days} is not from 1 to {LONGEST_RANGE}")
    lake = load_settings(given.env).lake
    window = window_of(lake, parse_day(given.ds) if given.ds else None, given.days)
    text = render_page(lake, window, given.out)
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.write_text(text, encoding="utf-8")
    print(given.out)


if __name__ == "__main__":
    main()
