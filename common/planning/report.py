"""The plan for people, and for programs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import date
from itertools import groupby
from typing import Any

from rich.table import Table as Grid
from rich.text import Text

from common.orchestration.reasons import Kind, Reason
from common.orchestration.stages import STEPS
from common.planning.costs import partitions
from common.planning.foresight import PlannedStep, When
from common.planning.plan import DatasetPlan, Estimate
from common.planning.words import folded
from common.printable import printable

ORDER = list(STEPS)
STYLES = {When.NOW: "", When.IF_CHANGED: "dim"}
# Runs that only a repeated record causes would be listed for every later day, and hardly ever happen.
SHOWN = tuple(STYLES)
# Steps that run for the same reason: their names, the reason in words, and whether they run in any case.
Deed = tuple[str, str, When]


def parts(plans: Sequence[DatasetPlan]) -> Iterator[Grid | str]:
    """A blank line separates datasets with something to run."""
    for number, plan in enumerate(plans):
        if number and (plan.steps or plans[number - 1].steps):
            yield ""
        yield _line(plan.name, _head(plan))
        yield from map(_indented, _before(plan))
        groups = _groups(plan)
        width = max((len(names) for _, steps in groups for names, *_ in steps), default=0)
        for days, steps in groups:
            yield _indented(_row_of(days))
            yield _grid(steps, width)
        yield from map(_indented, _notes(plan))
    if totals := [*_totals(plans)]:
        yield from ["", *totals]


def _head(plan: DatasetPlan) -> str:
    if plan.refused:
        return "a backfill refuses this contract and runs nothing"
    if not plan.known and not plan.days:
        return "no day has landed yet"
    touched = {step.ds for step in plan.steps if step.when in SHOWN}
    if plan.steps:
        return f"{len(touched):,} of {_days(len({*plan.known, *touched}))}"
    looked_at = sum(not day.missing for day in plan.days)
    return f"up to date ({_days(looked_at)})" if looked_at else "nothing to run"


def _line(name: str, words: str) -> Grid:
    return _wrapped(Text.assemble((name, "bold"), f": {words}"), 0)


def _indented(text: str) -> Grid:
    return _wrapped(Text(printable(text)), 2)


def _wrapped(text: Text, indent: int) -> Grid:
    grid = Grid(box=None, pad_edge=True, show_header=False, padding=(0, 0, 0, indent))
    grid.add_column(overflow="fold")
    grid.add_row(text)
    return grid


def _before(plan: DatasetPlan) -> Iterator[str]:
    """What is wrong with the declaration, or whether its change breaks readers of the features."""
    kinds = {reason.kind for step in plan.steps for reason in step.reasons}
    if plan.refused:
        yield plan.refused
        if plan.dataset:
            yield f"Declared as version={plan.version}, it would run:"
    elif plan.meaning:
        yield f"features v{plan.version} is new, and v{plan.version - 1} stays as it is: {'; '.join(plan.meaning)}"
    elif Kind.CODE_CHANGED in kinds:
        yield f"not breaking: the features of v{plan.version} are defined as before"
    if plan.taken_over:
        yield f"the partials of v{plan.version - 1} hold all that v{plan.version} needs: taken over for {folded(plan.taken_over)}"


def _grid(steps: Sequence[Deed], width: int) -> Grid:
    """The words of all days begin in the same column."""
    grid = Grid(box=None, pad_edge=False, show_header=False, padding=(0, 2, 0, 0))
    grid.add_column(no_wrap=True, min_width=2)
    grid.add_column(no_wrap=True, min_width=width)
    grid.add_column(overflow="fold")
    for names, words, when in steps:
        grid.add_row("", Text(names, STYLES[when]), Text(printable(words), STYLES[when]))
    return grid


def _groups(plan: DatasetPlan) -> list[tuple[list[date], list[Deed]]]:
    """Days in a row with the same steps and words are folded: in a row of days that are known, whatever is closed between."""
    place = {day: number for number, day in enumerate(sorted({*plan.known, *(day.ds for day in plan.days)}))}
    groups: list[tuple[list[date], list[Deed]]] = []
    for day in plan.days:
        steps = _steps(plan, day.steps)
        if groups and steps and groups[-1][1] == steps and place[day.ds] == place[groups[-1][0][-1]] + 1:
            groups[-1][0].append(day.ds)
        elif steps:
            groups.append(([day.ds], steps))
    return groups


def _row_of(days: Sequence[date]) -> str:
    gaps = (days[-1] - days[0]).days + 1 > len(days)
    return f"{days[0]}..{days[-1]} ({_days(len(days))})" if gaps else folded(days)


def _steps(plan: DatasetPlan, steps: Sequence[PlannedStep]) -> list[Deed]:
    """Steps in a row with the same words are folded as well."""
    shown = (step for step in steps if step.when in SHOWN)
    runs = groupby(shown, key=lambda step: (plan.words[step], step.when))
    return [(_named([step.name for step in run]), words, when) for (words, when), run in runs]


def _named(names: Sequence[str]) -> str:
    """`clean to publish` for steps in a row."""
    in_a_row = len(names) > 2 and ORDER.index(names[-1]) - ORDER.index(names[0]) + 1 == len(names)
    return f"{names[0]} to {names[-1]}" if in_a_row else ", ".join(names)


def _notes(plan: DatasetPlan) -> Iterator[str]:
    if missing := [day.ds for day in plan.days if day.missing]:
        yield f"Nothing has landed for {folded(missing)}, and nothing was ingested: a backfill has nothing to run there."
    if gone := [day.ds for day in plan.days if day.landing_gone and day.steps]:
        yield f"Landing no longer holds {folded(gone)}: they are rebuilt from raw."
    if any(step.when == When.IF_REPEATED for step in plan.steps):
        yield "Later days that repeat a record of these days are cleaned again too, and the windows over them are rebuilt."
    if stops := [day.stops for day in plan.days if day.stops]:
        yield (
            f"{stops[0].name} of {stops[0].ds} has failed, and its rows are the same: unless something else that it reads has "
            "changed, the backfill stops there. Fix the source or the contract first."
        )


def _totals(plans: Sequence[DatasetPlan]) -> Iterator[str]:
    ready = [plan for plan in plans if plan.steps and not plan.refused]
    if not any(plan.steps for plan in plans):
        return
    if not ready:
        yield "Nothing can run with this contract."
        return
    yield f"To run: {_estimate(ready, When.NOW)}."
    if any(step.when == When.IF_CHANGED for plan in ready for step in plan.steps):
        yield f"If rows change, in all: {_estimate(ready, When.NOW, When.IF_CHANGED)}."


def _estimate(plans: Sequence[DatasetPlan], *whens: When) -> str:
    found = total([plan.estimate(*whens) for plan in plans])
    words = f"{found.steps:,} {'step' if found.steps == 1 else 'steps'} on {_days(found.days)}"
    if found.unknown == found.steps:
        return f"{words}; no past run tells how long they take"
    besides = f", besides {found.unknown:,} without a past run" if found.unknown else ""
    return f"{words}, {_duration(found.seconds)}{besides}, at most {_size(found.bytes)}"


def total(estimates: Sequence[Estimate]) -> Estimate:
    return Estimate(
        sum(each.days for each in estimates),
        sum(each.steps for each in estimates),
        round(sum(each.seconds for each in estimates), 1),
        sum(each.bytes for each in estimates),
        sum(each.unknown for each in estimates),
    )


def _days(count: int) -> str:
    return f"{count:,} {'day' if count == 1 else 'days'}"


def _duration(seconds: float) -> str:
    if seconds < 1:
        return "less than 1 s"
    if seconds < 90:
        return f"about {seconds:,.0f} s"
    return f"about {seconds / 60:,.0f} min" if seconds < 5400 else f"about {seconds / 3600:,.1f} h"


def _size(count: float) -> str:
    for unit in ("bytes", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:,.0f} {unit}" if unit == "bytes" else f"{count:,.1f} {unit}"
        count /= 1000
    return f"{count:,.1f} TB"


def facts(plans: Sequence[DatasetPlan], lake: str) -> dict[str, Any]:
    ready = [plan for plan in plans if plan.dataset and not plan.refused]
    return {
        "lake": lake,
        "datasets": [_dataset_facts(plan) for plan in plans],
        "now": _estimate_facts(total([plan.estimate(When.NOW) for plan in ready])),
        "if_changed": _estimate_facts(total([plan.estimate(When.NOW, When.IF_CHANGED) for plan in ready])),
    }


def _estimate_facts(estimate: Estimate) -> dict[str, Any]:
    return asdict(estimate)


def _dataset_facts(plan: DatasetPlan) -> dict[str, Any]:
    return {
        "dataset": plan.name,
        "refused": plan.refused or None,
        "meaning": list(plan.meaning),
        "feature_version": plan.version or None,
        "taken_over": [str(day) for day in plan.taken_over],
        "known_days": len(plan.known),
        "missing": [str(day.ds) for day in plan.days if day.missing],
        "from_raw": [str(day.ds) for day in plan.days if day.landing_gone and day.steps],
        "stops_at": [str(day.ds) for day in plan.days if day.stops],
        "steps": [_step_facts(plan, step) for step in plan.steps],
    }


def _step_facts(plan: DatasetPlan, step: PlannedStep) -> dict[str, Any]:
    assert plan.dataset is not None
    return {
        "ds": str(step.ds),
        "step": step.name,
        "when": step.when.value,
        "why": plan.words[step],
        "reasons": list({str(reason): reason for reason in map(_reason_facts, step.reasons)}.values()),
        "after": [{"ds": str(each.ds), "step": each.name} for each in step.after],
        "table": step.table,
        "partitions": partitions(step, plan.dataset.contract),
        "seconds": plan.costs.seconds(step.name),
        "bytes": plan.costs.bytes(step),
    }


def _reason_facts(reason: Reason) -> dict[str, Any]:
    commit = reason.commit
    return {
        "kind": reason.kind.value,
        "table": reason.table or None,
        "version": commit.version if commit else None,
        "run_id": str(commit.books.get("run_id", "")) or None if commit else None,
        "days": [str(day) for day in reason.days],
        "rules": list(reason.rules),
    }
