"""Write an HTML report of the last days without Spark: `python -m common.reports.report`."""

from __future__ import annotations

import os
import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import UTC, date, datetime
from itertools import product
from pathlib import Path
from typing import Any
from urllib.parse import quote

import jinja2
import pyarrow.compute as pc

from common.contracts import datasets
from common.contracts.contract import TABLES
from common.days import (
    LONGEST_RANGE,
    day_range,
    end_of,
    ended_by,
    from_text,
    kind_of,
    kind_of_text,
    latest_day,
    parse_day,
    require_begun,
    shifted,
)
from common.errors import SourceMissingError, UsageError, exit_on_error
from common.lake import data_files, small_tables
from common.lake.files import list_files, local_path, read_json
from common.orchestration import run_log
from common.printable import printable
from common.quality import gx
from common.reports import status, svg
from common.reports.beside import beside_lake
from common.reports.dataset_report import STATES, DatasetReport, Track
from common.reports.status import STEPS
from common.runtime.command_line import CommandLine
from common.runtime.settings import CONF, load_settings

NAME = "report.html"
# Defaults for keys that a stored result may omit.
DEFAULTS = dict.fromkeys(("column", "observed", "limit", "problem", "examples")) | {"checked": 0, "failed": 0}


def results(lake: str, dataset: str, window: Sequence[str]) -> list[Track]:
    """Return every rule that was checked in the window, in the order of the tables and their rules."""
    tracks: dict[tuple[str, ...], Track] = {}
    for table, day in product(TABLES, window):
        content = read_json(run_log.results_place(lake, dataset, table, day)) or {}
        for stored in content.get("results", []):
            result = {**DEFAULTS, "kind": "rows", "severity": "error", **stored}
            # Arguments distinguish rules on rows. Elsewhere they are limits, which may change from day to day.
            name = stored["expectation"] if result["kind"] == "rows" else re.sub(r"\(.*\)", "", stored["expectation"])
            key = (table, name, result["column"])
            track = tracks.setdefault(key, Track(table, result["column"] or "", result["kind"]))
            track.cells[day] = {**result, "state": _state(result)}
    return list(tracks.values())


def _state(result: dict[str, Any]) -> str:
    if result["problem"] or result["success"]:
        return "unable" if result["problem"] else "passed"
    return "warned" if result["severity"] == "warn" else "failed"


def reasons(lake: str, dataset: str, window: Sequence[str]) -> dict[str, list[int]]:
    """Return the refused rows of each day by reason, most frequent reason first."""
    counts: dict[str, dict[str, int]] = defaultdict(Counter)
    rows = small_tables.read_slice(f"{lake}/quarantine/{dataset}", {"ds": _dates(window)}, ["ds", "copies", "reasons"])
    if not rows.num_rows:
        return {}
    rows = rows.combine_chunks()
    by_reason = rows.select(["ds", "copies"]).take(pc.list_parent_indices(rows["reasons"]))
    by_reason = by_reason.append_column("reason", pc.list_flatten(rows["reasons"]))
    for group in by_reason.group_by(["ds", "reason"]).aggregate([("copies", "sum")]).to_pylist():
        counts[group["reason"]][str(group["ds"])] += group["copies_sum"]
    by_day = {reason: [by_date[day] for day in window] for reason, by_date in counts.items()}
    return dict(sorted(by_day.items(), key=lambda item: -sum(item[1])))


def profile(lake: str, dataset: str, window: Sequence[str]) -> tuple[str, list[dict[str, Any]]]:
    """Return the newest profiled day and its columns, each with its means by label."""
    uri = f"{lake}/profiles/{dataset}"
    day = max((file.partition["ds"] for file in data_files.files(uri, ds=list(window))), default="")
    rows = small_tables.read_slice(uri, {"ds": _dates([day])}).to_pylist() if day else []
    means: dict[tuple[str, str], dict[str, Any]] = defaultdict(dict)
    for row in rows:
        means[row["table"], row["column"]][row["label"]] = row["mean"]
    all_labels = [{**row, "means": means[row["table"], row["column"]]} for row in rows if not row["label"]]
    return day, sorted(all_labels, key=lambda row: TABLES.index(row["table"]))


def _dates(window: Sequence[str]) -> list[date]:
    return [from_text(day) for day in window]


def windows_of(lake: str, until: date | None, days: int) -> dict[str, list[str]]:
    """Return each dataset's last `days` days up to `until` or its own newest run, not before its first run."""
    known = {name: _days_run(lake, name) for name in datasets.names()}
    all_known = set().union(*known.values())
    if not all_known:
        raise SourceMissingError(f"nothing has run yet in {lake}; run a day first, e.g. with `make demo`")
    return {name: _window(of or all_known, until, days) for name, of in known.items()}


def _days_run(lake: str, dataset: str) -> set[str]:
    """Return the days with a run or a result. A day in the future was mistyped."""
    names = [
        file.base_name
        for place in (run_log.FOLDER, run_log.RESULTS)
        for file in list_files(f"{lake}/{place}/{dataset}", recursive=True)
    ]
    days = {name.removesuffix(".json") for name in names if re.fullmatch(r"\d{4}-\d{2}-\d{2}(T\d{2})?\.json", name)}
    return {day for day in days if day <= str(latest_day(every=kind_of_text(day)))}


def _window(known: set[str], until: date | None, days: int) -> list[str]:
    last = _last(until, from_text(max(known)))
    return [day for day in map(str, day_range(last, days - 1)) if day >= min(known)] or [str(last)]


def _last(until: date | None, newest: date) -> date:
    """The last period to show; of a day it is the last hour, where periods are hours."""
    return newest if until is None else ended_by(end_of(until), kind_of(newest))


def dataset_report(lake: str, dataset: str, window: list[str], latest: str) -> DatasetReport:
    where = (lake, dataset, window)
    days = {day.ds: day for day in status.day_statuses(lake, dataset)}
    return DatasetReport(
        datasets.load(dataset).contract, window, latest, days, results(*where), reasons(*where), *profile(*where)
    )


def render_page(lake: str, windows: dict[str, list[str]], days: int, out: Path) -> str:
    """Draw the datasets, worst first."""
    loader = jinja2.FileSystemLoader(CONF)
    environment = jinja2.Environment(loader=loader, autoescape=True, undefined=jinja2.StrictUndefined)
    environment.trim_blocks = environment.lstrip_blocks = True
    environment.filters |= {"figure": svg.figure, "number": svg.number, "day": svg.day, "shortly": svg.shortly}
    index = local_path(lake) / gx.PAGE
    link = quote(os.path.relpath(index, out.parent)) if index.is_file() else ""
    ends = sorted({window[-1] for window in windows.values()})
    reports = [dataset_report(lake, name, window, _latest(ends, window, days)) for name, window in windows.items()]
    context = {
        "steps": STEPS, "tables": TABLES, "plots": svg, "docs": link, "lake": lake, "made": datetime.now(UTC),
        "ends": ends, "longest": max(map(len, windows.values())),
    }  # fmt: skip
    reports.sort(key=lambda facts: STATES.index(facts.verdict))
    return environment.get_template("report.html.j2").render(context, datasets=reports)


def _latest(ends: Sequence[str], window: Sequence[str], days: int) -> str:
    """Return the newest day of any dataset; a dataset that ended long before it is of another time, not late."""
    near = str(shifted(from_text(window[-1]), days))
    every = kind_of_text(near)
    return max(end for end in ends if end < near and kind_of_text(end) == every)


@exit_on_error()
def main() -> None:
    parser = CommandLine(prog="python -m common.reports.report", description=__doc__)
    parser.with_help("make report", ".venv/bin/python -m common.reports.report --ds 2026-01-05 --days 60")
    parser.add_argument("--out", type=Path, help=f"file to write (default: {NAME} beside the lake)")
    parser.add_argument("--ds", help="the last day to show (default: the newest of each dataset)")
    parser.add_argument("--days", type=int, default=30, help="how many days to show (default: 30)")
    parser.add_argument("--env", default="local", help="read the settings in conf/<env>.yml (default: local)")
    arguments = parser.parse_args()
    if not 1 <= arguments.days <= LONGEST_RANGE:
        raise UsageError(f"--days {arguments.days} is out of range; give a number from 1 to {LONGEST_RANGE}")
    lake = load_settings(arguments.env).lake
    until = parse_day(arguments.ds, kind_of_text(arguments.ds)) if arguments.ds else None
    require_begun([until] if until else [])
    out: Path = arguments.out or beside_lake(lake) / NAME
    text = render_page(lake, windows_of(lake, until, arguments.days), arguments.days, out)
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(text, encoding="utf-8")
    print(printable(out))


if __name__ == "__main__":
    main()
