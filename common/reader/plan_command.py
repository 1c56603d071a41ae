"""The command `features plan`: what a backfill would run now, why, and at what cost; and runs it, if asked."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING

from common.contracts import datasets
from common.days import begun_days, kind_of_text
from common.errors import UsageError
from common.names import did_you_mean
from common.published.catalog import Lake
from common.reader import airflow_runs, backfill_runs
from common.reader.output import Output
from common.runtime.garbage import collecting_nothing
from common.runtime.settings import Settings, load_settings

if TYPE_CHECKING:
    from common.planning.plan import DatasetPlan


def plan(lake: Lake, arguments: argparse.Namespace) -> Output:
    from common.planning import report
    from common.planning.plan import plan_dataset

    if arguments.drop and arguments.trial is None:
        raise UsageError("--drop removes a trial; expected --trial NAME with it")
    if arguments.since_revision is not None:
        return _since(arguments)
    if arguments.apply and arguments.json:
        raise UsageError("--apply asks before it runs, and --json prints one object; expected one of them")
    if arguments.through == "airflow":
        _require_through_airflow(arguments)
    settings = load_settings(arguments.env, lake=arguments.lake, landing=arguments.landing)
    chosen = {name: _chosen(name, arguments) for name in _meant(arguments)}
    if arguments.trial is not None:
        return _trial(arguments, settings, chosen)
    with collecting_nothing():
        plans = [plan_dataset(name, settings, days) for name, days in chosen.items()]
    code = UsageError.exit_code if any(plan.refused for plan in plans) else 0
    output = Output(report.facts(plans, settings.lake), [*report.parts(plans)], fitting=True, exit_code=code)
    return _apply(plans, settings, output, arguments) if arguments.apply else output


def _require_through_airflow(arguments: argparse.Namespace) -> None:
    if not arguments.apply:
        raise UsageError("--through says what runs the plan; expected --apply with it")
    if arguments.lake or arguments.landing:
        raise UsageError("Airflow runs on the lake of its own settings; expected neither --lake nor --landing with it")
    airflow_runs.require_address()


def _trial(arguments: argparse.Namespace, settings: Settings, chosen: dict[str, list[date]]) -> Output:
    from common.reader import trial_command

    if arguments.apply:
        raise UsageError("--trial runs on a copy, and --apply on the lake; expected one of them")
    if arguments.drop:
        return trial_command.drop(arguments.trial, settings.lake)
    return trial_command.run(arguments.trial, settings, chosen)


def _meant(arguments: argparse.Namespace) -> list[str]:
    """The datasets that are named, or all; of all, only those that have such periods as are asked for."""
    names = _names(arguments.dataset)
    if arguments.dataset or not arguments.ds:
        return names
    return [name for name in names if _every(name, arguments.ds) == kind_of_text(arguments.ds)]


def _chosen(name: str, arguments: argparse.Namespace) -> list[date]:
    if not arguments.ds:
        return []
    return begun_days(arguments.ds, arguments.long_range, _every(name, arguments.ds))


def _every(name: str, ds: str) -> str:
    try:
        return datasets.declared_contract(name).every
    except UsageError:
        return kind_of_text(ds)  # the plan will say what is wrong with the declaration


def _since(arguments: argparse.Namespace) -> Output:
    from common.planning import revisions

    if arguments.apply or arguments.ds or arguments.trial is not None:
        raise UsageError(
            "--since-revision compares code and reads no lake; expected neither --ds nor --apply nor --trial with it"
        )
    changes = revisions.changes_since(arguments.since_revision, _names(arguments.dataset))
    code = UsageError.exit_code if any(change.breaking for change in changes) else 0
    facts = revisions.facts(arguments.since_revision, changes)
    return Output(facts, [*revisions.shown(arguments.since_revision, changes)], exit_code=code)


def _names(asked: Sequence[str]) -> list[str]:
    known = datasets.names()
    for name in asked:
        if name not in known:
            raise UsageError(
                f"--dataset {name!r} is unknown{did_you_mean(name, known)}; expected one of: {', '.join(known)}"
            )
    return list(dict.fromkeys(asked)) or known


def _apply(plans: Sequence[DatasetPlan], settings: Settings, output: Output, arguments: argparse.Namespace) -> Output:
    """Run the planned days; what they make stale follows by itself."""
    output.print(as_json=False)
    days = [day for plan in plans if not plan.refused for day in plan.ranges()]
    if not days or not (arguments.yes or _agreed()):
        return Output({}, [], exit_code=output.exit_code)
    if arguments.through == "airflow":
        return Output({}, [airflow_runs.outcome(airflow_runs.start(plans))], exit_code=output.exit_code)
    lines, code = backfill_runs.run(backfill_runs.commands(plans, settings))
    return Output({}, [backfill_runs.outcome(lines)], exit_code=code or output.exit_code)


def _agreed() -> bool:
    if not sys.stdin.isatty():
        raise UsageError("--apply asks before it runs, and nobody is there to answer; pass --yes to run without asking")
    print("Run them now? [y/n] ", end="", file=sys.stderr, flush=True)
    return input().strip().lower() in ("y", "yes")
