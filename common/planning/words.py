"""Why a step runs, in words: what is the same on many days has the same words there, so that the days can be folded."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from functools import cache
from itertools import groupby

from common.contracts.datasets import Dataset
from common.lake.delta_log import Commit
from common.orchestration.reasons import Kind, Reason
from common.planning.code_changes import why_changed
from common.planning.foresight import GATES, PlannedStep, When

SHOWN = 3


class Words:
    def __init__(self, dataset: Dataset) -> None:
        self._dataset = dataset
        self._code: dict[tuple[str, str], str] = {}

    def of(self, step: PlannedStep) -> str:
        if step.when == When.NOW:
            return "; ".join(self._reasons(step))
        if step.when == When.IF_REPEATED:
            return f"if a record of {_others(step)} came again"
        if gates := [each for each in step.after if _is_stopped(each)]:
            return (
                f"if {gates[0].name} of {gates[0].ds} passes"
                if gates[0].ds != step.ds
                else f"if {gates[0].name} passes"
            )
        return "if its rows change" if _roots(step) == {step.ds} else f"if rows of {_others(step)} change"

    def _reasons(self, step: PlannedStep) -> list[str]:
        kinds = groupby(sorted(step.reasons, key=lambda each: list(Kind).index(each.kind)), lambda each: each.kind)
        told = {kind: self._reason(step.ds, kind, [*group]) for kind, group in kinds}
        # Changed code says it all: its new tables, for example, are other tables than those of its last run.
        return [told[Kind.CODE_CHANGED]] if Kind.CODE_CHANGED in told else [*told.values()]

    def _reason(self, ds: date, kind: Kind, reasons: Sequence[Reason]) -> str:
        first = reasons[0]
        match kind:
            case Kind.NEVER_RAN:
                return "never ran"
            case Kind.CODE_CHANGED:
                assert first.commit is not None
                return self._code_changed(first.commit)
            case Kind.SOURCE_CHANGED:
                return "the source has changed"
            case Kind.ADMISSION_CHANGED:
                return f"the gate has decided anew on {folded(day for each in reasons for day in each.days)}"
            case Kind.GATE_FAILED:
                return f"failed its gate: {', '.join(first.rules[:SHOWN])}{' …' * (len(first.rules) > SHOWN)}"
            case Kind.TABLE_REPLACED:
                tables = ", ".join(sorted({each.table for each in reasons}))
                return f"{tables} is another table now, or its log no longer says what has changed"
            case Kind.ROWS_CHANGED | Kind.OUTPUT_CHANGED:
                return rows_changed(ds, reasons)

    def _code_changed(self, commit: Commit) -> str:
        key = str(commit.books.get("code")), str(commit.books.get("revision"))
        if key not in self._code:
            self._code[key] = why_changed(self._dataset, commit)
        return self._code[key]


def rows_changed(ds: date, reasons: Sequence[Reason]) -> str:
    """Whose commits have changed which rows."""
    commits = {each.commit.version: (each.table, each.commit) for each in reasons if each.commit}.values()
    foreign = sorted({table for table, commit in commits if not commit.ours})
    if foreign:
        return f"another program has changed {', '.join(foreign)}"
    arrived = {day for _, commit in commits for day in commit.days}
    touched = {day for _, commit in commits for day in commit.touched or ()}
    tables = ", ".join(sorted({table.partition("/")[0] for table, _ in commits}))
    if arrived == {ds}:
        return f"its rows of {tables} have changed"
    late = f", events of {folded(touched)}" if touched and touched != arrived else ""
    return f"rows that arrived on {folded(arrived)} have changed{late}"


def folded(days: Iterable[date]) -> str:
    """`2026-01-05, 2026-01-07..2026-01-09`"""
    ordered = sorted({*days})
    runs: list[list[date]] = []
    for day in ordered:
        if runs and day - runs[-1][-1] == timedelta(days=1):
            runs[-1].append(day)
        else:
            runs.append([day])
    names = [str(run[0]) if len(run) == 1 else f"{run[0]}..{run[-1]}" for run in runs]
    return ", ".join(names if len(names) <= SHOWN else [*names[:SHOWN], f"{len(names) - SHOWN} more"])


@cache
def _roots(step: PlannedStep) -> frozenset[date]:
    """The days of the steps without which this one would not run."""
    if not step.after:
        return frozenset([step.ds])
    return frozenset().union(*map(_roots, step.after))


def _others(step: PlannedStep) -> str:
    """Days in general where there are many: they differ from each day to the next."""
    others = sorted(_roots(step))
    return folded(others) if len(others) == 1 else "earlier days"


def _is_stopped(step: PlannedStep) -> bool:
    return step.name in GATES and any(reason.kind == Kind.GATE_FAILED for reason in step.reasons)
