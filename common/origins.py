"""Where published rows come from: what the command `features` says of that, and how it proves it."""

from __future__ import annotations

import argparse
import subprocess
from typing import Any

from common.answer import Answer, grid
from common.days import parse_day
from common.errors import ContractBroken, NothingThere
from common.published import Features, Lake
from common.questions import named, said_of, sources_of, view_of
from common.settings import load_settings


def why(lake: Lake, given: argparse.Namespace) -> Answer:
    from common.why import why as explain

    view = view_of(lake, given)
    found = explain(lake.uri, view, given.entity, parse_day(given.ds))
    facts = found.facts
    events = found.events.to_pylist()
    said: list[Any] = [
        f"{view.entity} {given.entity} on {given.ds}, {said_of(view)}",
        f"made by run {facts['run_id']}, revision {facts['revision'] or '?'}, definition {facts['definition']}",
        f"from {sources_of(facts)}; {facts['validation']['passed']} of {facts['validation']['rules']} rules passed",
        "",
        grid(["feature", "value"], [[name, value] for name, value in found.row.items()]),
        "",
        f"{len(events):,} events, as they were known on {given.ds}:",
        grid(found.events.column_names, [list(row.values()) for row in events]),
    ]
    return Answer({**named(view), "row": found.row, "made": facts, "events": events}, said)


def reproduce(lake: Lake, given: argparse.Namespace) -> Answer:
    """By the job of that name, which needs Spark: a day of each table that the run made."""
    from common.settings import ROOT

    made = [(table, day) for table in map(lake.features, lake.tables()) for day in _made_by(table, given.run_id)]
    if not made:
        raise NothingThere(f"no published day was made by run {given.run_id}; `features log TABLE` names the runs")
    for table, day in made:
        command = [str(ROOT / ".venv/bin/spark-submit"), str(ROOT / "jobs/reproduce.py"), "--lake", lake.uri]
        done = subprocess.run([*command, "--dataset", table.dataset, "--ds", day], stdout=subprocess.PIPE, check=False)
        if done.returncode:
            raise ContractBroken(f"{table.name} of {day} could not be made again (exit {done.returncode}, see above)")
    said: list[Any] = [f"{table.name} of {day}: made again, the same" for table, day in made]
    return Answer({"run": given.run_id, "same": [[table.name, day] for table, day in made]}, said)


def _made_by(table: Features, run: str) -> list[str]:
    """The days whose rows a run made, or whose publication it was."""
    view = table.at()
    published = {day: each.books["run_id"] for each in reversed(view.publications) for day in each.days}
    return [day for day, facts in view.published.items() if run in (facts["run_id"], published[day])]


def vector(lake: Lake, given: argparse.Namespace) -> Answer:
    """From the online store, as a model would be served."""
    from common import serving
    from common.online import open_store

    table = lake.features(given.table)
    fitted = serving.fitted_of(lake.uri, given.training_set) if given.training_set else None
    found = serving.vector(open_store(load_settings("local").online), table, given.entity, fitted)
    return Answer(found, [grid(["feature", "value"], [[name, value] for name, value in found.items()])])
