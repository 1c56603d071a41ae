"""Where published rows come from: what the command `features` says of that, and how it proves it."""

from __future__ import annotations

import argparse
import subprocess
from dataclasses import dataclass
from typing import Any

from common.days import parse_day
from common.errors import ContractViolationError, PipelineError, SourceMissingError, UsageError
from common.published.catalog import FeatureTable, Lake
from common.published.view import Version
from common.reader.commands import named, said_of, sources_of, view_of
from common.reader.output import Output, grid
from common.reader.places import online_uri


def why(lake: Lake, given: argparse.Namespace) -> Output:
    from common.published.lineage import explain

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
    return Output({**named(view), "row": found.row, "made": facts, "events": events}, said)


def reproduce(lake: Lake, given: argparse.Namespace) -> Output:
    """By the job of that name, which needs Spark: a day of each table that the run made."""
    from common.runtime.settings import ROOT

    spark_submit = ROOT / ".venv/bin/spark-submit"
    if not spark_submit.exists():
        raise UsageError(
            f"no Spark at {spark_submit}, which this command needs; run it in the project's folder after `make setup`"
        )
    published = [
        Published(table, each, day)
        for table in map(lake.features, lake.tables())
        for each in table.versions()
        for day in each.days
    ]
    run = _whole_id(given.run_id, {run for each in published for run in each.runs})
    made = [each for each in published if run in each.runs]
    for each in made:
        command = [str(spark_submit), str(ROOT / "jobs/reproduce.py"), "--lake", lake.uri]
        done = subprocess.run([*command, *each.arguments], stdout=subprocess.PIPE, check=False)
        if done.returncode:
            raise _refused(each, done.returncode)
    said: list[Any] = [f"{each.words}: made again, the same" for each in made]
    return Output({"run": run, "same": [[each.table.name, each.day, each.version.version] for each in made]}, said)


@dataclass(frozen=True)
class Published:
    """A day as one publication has it."""

    table: FeatureTable
    version: Version
    day: str

    @property
    def runs(self) -> set[str]:
        """Which run made the rows, and which published them."""
        return {self.version.days[self.day]["run_id"], self.version.books["run_id"]}

    @property
    def words(self) -> str:
        return f"{self.table.name} of {self.day}, published as version {self.version.version}"

    @property
    def arguments(self) -> list[str]:
        number, version = str(self.table.number), str(self.version.version)
        found = ["--dataset", self.table.dataset, "--ds", self.day]
        return [*found, "--feature-version", number, "--publication", version]


def _whole_id(given: str, runs: set[str]) -> str:
    """The run of that id, or whose id alone begins so: `features log` shows the first twelve digits."""
    found = [given] if given in runs else sorted(run for run in runs if given and run.startswith(given))
    if not found:
        raise SourceMissingError(f"no published day was made by run {given!r}; `features log TABLE` names the runs")
    if len(found) > 1:
        raise UsageError(f"run {given!r} is ambiguous: {', '.join(found)}; give more of its id")
    return found[0]


def _refused(each: Published, code: int) -> PipelineError:
    said = f"{each.words} could not be made again (exit {code}, see above)"
    kinds = {kind.exit_code: kind for kind in (UsageError, SourceMissingError, ContractViolationError)}
    return kinds.get(code, PipelineError)(said)


def vector(lake: Lake, given: argparse.Namespace) -> Output:
    """From the online store, as a model would be served."""
    from common.online import serving
    from common.online.connect import open_store

    table = lake.features(given.table)
    fitted = serving.fitted_of(lake.uri, given.training_set) if given.training_set else None
    server = serving.Server(open_store(online_uri()), serving.view_name(table), fitted)
    found = server.vector(given.entity)
    return Output(found, [grid(["feature", "value"], [[name, value] for name, value in found.items()])])
