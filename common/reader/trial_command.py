"""`features plan --trial NAME`: runs the planned steps on a linked copy of the lake, and shows what would be published."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date

from rich.table import Table as Grid

from common.errors import UsageError
from common.lake import linked_copy
from common.planning import trial
from common.planning.plan import DatasetPlan, newest_days, plan_dataset
from common.reader import backfill_runs
from common.reader.output import Output, grid
from common.runtime.settings import Settings

NEWEST = 3
# A trial tells nobody.
SILENT = json.dumps(dict.fromkeys(("metrics", "pushgateway", "otlp", "openlineage")))


def run(name: str, settings: Settings, chosen: Mapping[str, Sequence[date]]) -> Output:
    place = linked_copy.place_of(settings.lake, name)
    plans = [_planned(dataset, settings, days) for dataset, days in chosen.items()]
    with linked_copy.holding(settings.lake, name, [*chosen]):
        made = trial.begin(settings.lake, name, plans)
        commands = backfill_runs.commands(
            [replace(plan, refused="") for plan in plans], settings.model_copy(update={"lake": place})
        )
        lines, code = backfill_runs.run(commands, {"TELEMETRY": SILENT, "ONLINE": f"sqlite:///{place}/online.db"})
        compared = made.compare()
    facts = {"trial": name, "lake": place, "ran": lines, "datasets": [trial.facts(each) for each in compared]}
    shown = [part for each in compared for part in _shown(each)]
    parts = [*([backfill_runs.outcome(lines)] if lines else []), *shown, f"The trial's rows are in {place}."]
    return Output(facts, parts, exit_code=code)


def drop(name: str, lake: str) -> Output:
    with linked_copy.holding(lake, name, []):
        dropped = linked_copy.drop(lake, name)
    if not dropped:
        raise UsageError(f"there is no trial {name} in {lake}; nothing was removed")
    return Output({"trial": name, "dropped": dropped}, [f"removed trial {name}; nothing else was touched"])


def _planned(dataset: str, settings: Settings, days: Sequence[date]) -> DatasetPlan:
    plan = plan_dataset(dataset, settings, days or newest_days(dataset, settings, NEWEST))
    if plan.refused and plan.dataset is None:
        raise UsageError(plan.refused)
    return plan


def _shown(compared: trial.Comparison) -> list[Grid | str]:
    rows = [*trial.rows(compared)]
    return [trial.head(compared), *([grid(trial.HEADINGS, rows)] if rows else [])]
