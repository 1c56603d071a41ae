"""The commands of `features` that trace published rows to their sources and recompute them."""

from __future__ import annotations

import argparse
import subprocess
from dataclasses import dataclass
from typing import Any

from common.days import parse_day
from common.errors import ContractViolationError, PipelineError, SourceMissingError, UsageError
from common.published.catalog import FeatureTable, Lake
from common.published.view import Version
from common.reader.commands import description, identity, sources_of, view_of
from common.reader.output import Output, grid
from common.reader.places import online_uri, spark_submit


def why(lake: Lake, arguments: argparse.Namespace) -> Output:
    from common.published.lineage import explain

    view = view_of(lake, arguments)
    lineage = explain(lake.uri, view, arguments.entity, parse_day(arguments.ds, view.every))
    facts, left_out = lineage.facts, lineage.facts.get("left_out", [])
    events = lineage.events.to_pylist()
    parts: list[Any] = [
        f"{view.entity} {arguments.entity} on {arguments.ds}, {description(view)}",
        f"made by run {facts['run_id']}, revision {facts['revision'] or '?'}, definition {facts['definition']}",
        f"from {sources_of(facts)}; {facts['validation']['passed']} of {facts['validation']['rules']} rules passed",
        *([f"without the arrivals of {', '.join(left_out)}, which the gate had not passed"] if left_out else []),
        "",
        grid(["feature", "value"], [[name, value] for name, value in lineage.row.items()]),
        "",
        f"{len(events):,} events, as they were known on {arguments.ds}:",
        grid(lineage.events.column_names, [list(row.values()) for row in events]),
    ]
    return Output({**identity(view), "row": lineage.row, "made": facts, "events": events}, parts)


def reproduce(lake: Lake, arguments: argparse.Namespace) -> Output:
    """Run jobs/reproduce.py, which needs Spark, for each published day that the run made."""
    from common.runtime.settings import ROOT

    program = spark_submit()
    published = [
        PublishedDay(table, version, day)
        for table in map(lake.features, lake.tables())
        for version in table.versions()
        for day in version.days
    ]
    run = _whole_id(arguments.run_id, {run for day in published for run in day.runs})
    days = [day for day in published if run in day.runs]
    for day in days:
        command = [program, str(ROOT / "jobs/reproduce.py"), "--lake", lake.uri]
        done = subprocess.run([*command, *day.arguments], stdout=subprocess.PIPE, check=False)
        if done.returncode:
            raise _failure(day, done.returncode)
    lines: list[Any] = [f"{day.words}: recomputed, identical" for day in days]
    return Output({"run": run, "same": [[day.table.name, day.day, day.version.version] for day in days]}, lines)


@dataclass(frozen=True)
class PublishedDay:
    """One day of one publication."""

    table: FeatureTable
    version: Version
    day: str

    @property
    def runs(self) -> set[str]:
        """Return the run that computed the rows and the run that published them."""
        return {self.version.days[self.day]["run_id"], self.version.books["run_id"]}

    @property
    def words(self) -> str:
        return f"{self.table.name} of {self.day}, published as version {self.version.version}"

    @property
    def arguments(self) -> list[str]:
        number, version = str(self.table.number), str(self.version.version)
        day = ["--dataset", self.table.dataset, "--ds", self.day]
        return [*day, "--feature-version", number, "--publication", version]


def _whole_id(prefix: str, runs: set[str]) -> str:
    """Return the one run id that is, or starts with, the prefix; `features log` shows the first twelve digits."""
    matches = [prefix] if prefix in runs else sorted(run for run in runs if prefix and run.startswith(prefix))
    if not matches:
        raise SourceMissingError(f"no published day was made by run {prefix!r}; `features log TABLE` lists the runs")
    if len(matches) > 1:
        raise UsageError(f"run {prefix!r} is ambiguous: {', '.join(matches)}; give more of its id")
    return matches[0]


def _failure(day: PublishedDay, code: int) -> PipelineError:
    message = f"{day.words} could not be reproduced (exit {code}, see above)"
    kinds = {kind.exit_code: kind for kind in (UsageError, SourceMissingError, ContractViolationError)}
    return kinds.get(code, PipelineError)(message)


def vector(lake: Lake, arguments: argparse.Namespace) -> Output:
    """Print the vector that the online store would serve to a model."""
    from common.online import serving
    from common.online.connect import open_store

    table = lake.features(arguments.table)
    fitted = serving.fitted_of(lake.uri, arguments.training_set) if arguments.training_set else None
    server = serving.Server(open_store(online_uri()), table.plain_name, fitted)
    features = server.vector(arguments.entity)
    return Output(features, [grid(["feature", "value"], [[name, value] for name, value in features.items()])])
