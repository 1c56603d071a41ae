"""Why a step runs, in words: equal reasons have equal words on all days, so that the days can be folded."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import date
from itertools import groupby

from common.contracts.datasets import Dataset
from common.days import consecutive, range_text
from common.lake.log.delta_log import Commit
from common.orchestration.reasons import Kind, Reason
from common.planning.code_changes import why_changed
from common.planning.foresight import GATES, PlannedStep, When

SHOWN = 3


class Words:
    def __init__(self, dataset: Dataset) -> None:
        self._dataset = dataset
        self._known_roots: dict[PlannedStep, frozenset[date]] = {}
        self._code: dict[str, str] = {}

    def of(self, step: PlannedStep) -> str:
        return "; ".join([*self._conditions(step), *self._reasons(step)])

    def _conditions(self, step: PlannedStep) -> Iterator[str]:
        if step.when == When.NOW:
            return
        if step.when == When.IF_REPEATED:
            yield f"if a record of {in_general(self._roots(step))} was sent again"
            return
        if gates := [each for each in step.after if _is_stopped(each)]:
            yield f"if {gates[0].name}{'' if gates[0].ds == step.ds else f' of {gates[0].ds}'} passes"
            return
        roots = self._roots(step)
        yield "if its rows change" if roots == {step.ds} else f"if rows of {in_general(roots)} change"

    def _roots(self, step: PlannedStep) -> frozenset[date]:
        """The days of the steps without which this one would not run."""
        if step not in self._known_roots:
            days = frozenset([step.ds]) if not step.after else frozenset().union(*map(self._roots, step.after))
            self._known_roots[step] = days
        return self._known_roots[step]

    def _reasons(self, step: PlannedStep) -> list[str]:
        kinds = groupby(sorted(step.reasons, key=lambda each: list(Kind).index(each.kind)), lambda each: each.kind)
        told = {kind: self._reason(step.ds, kind, [*group]) for kind, group in kinds}
        # Changed code explains everything else: for example, its new tables are not those of its last run.
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
                return f"the gate has a new verdict on {folded(day for each in reasons for day in each.days)}"
            case Kind.GATE_FAILED:
                return f"failed its gate: {', '.join(first.rules[:SHOWN])}{' …' * (len(first.rules) > SHOWN)}"
            case Kind.TABLE_REPLACED:
                tables = ", ".join(sorted({each.table for each in reasons}))
                return f"{tables} was replaced by another table, or its log no longer shows what changed"
            case Kind.ROWS_CHANGED | Kind.OUTPUT_CHANGED:
                return rows_changed(ds, reasons)

    def _code_changed(self, commit: Commit) -> str:
        """Computed once for each code fingerprint, whichever revision made the day."""
        code = str(commit.books.get("code"))
        if code not in self._code:
            self._code[code] = why_changed(self._dataset, commit)
        return self._code[code]


def rows_changed(ds: date, reasons: Sequence[Reason]) -> str:
    """Which programs' commits have changed which rows."""
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
    names = [range_text(row[0], row[-1]) for row in consecutive(days)]
    return ", ".join(names if len(names) <= SHOWN else [*names[:SHOWN], f"{len(names) - SHOWN} more"])


def in_general(days: Collection[date]) -> str:
    """Without names if there are several, because they differ from day to day."""
    return folded(days) if len(days) == 1 else "earlier days"


def _is_stopped(step: PlannedStep) -> bool:
    return step.name in GATES and any(reason.kind == Kind.GATE_FAILED for reason in step.reasons)
