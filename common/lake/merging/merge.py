"""Make a slice of a table equal to the desired rows: compute the difference, then apply it in one commit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import product
from typing import TYPE_CHECKING, Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from common.contracts.layout import Table
from common.lake.log import data_files, delta_log
from common.lake.log.commit_metadata import arrow_commit, commit_without_rows
from common.lake.log.decisions import Decision, decide
from common.lake.merging import arrow_merge, spark_merge
from common.lake.merging.difference import ACTION, ALL, SliceDifference, difference, fetched, measured, to_insert
from common.lake.spark_tables import create, read_partitions, retry_on_conflict, values_as_text
from common.lake.sql_conditions import Slice
from common.lake.storage.locks import committing
from common.runtime import plan_size
from common.runtime.run import Change

if TYPE_CHECKING:
    from common.runtime.run import Run


@dataclass(frozen=True, kw_only=True)
class DesiredSlice:
    """What a slice of a table should hold.

    - `existing`: the stored rows to compare with (default: the slice); take `decision` before reading them.
    - `new`: no desired row is stored yet, and the stored ones stay.
    - `after`: a decision on another table that has to be committed first, if only by raising its number.
    - `size`: the number of desired rows, if known; many new rows are then not counted again.
    """

    table: Table
    where: Slice
    desired: DataFrame
    size: int | None = None
    existing: DataFrame | None = None
    new: bool = False
    actions: tuple[str, ...] = ALL
    decision: Decision | None = None
    after: Decision | None = None

    @property
    def scope(self) -> str:
        """The part of the table that a decision about the slice reads."""
        return " ".join(str(value) for values in self.where.values() for value in values)


def converge(run: Run, goal: DesiredSlice, books: Mapping[str, Any]) -> Change:
    """Make the slice equal to the desired rows in one commit, with the books in it.

    Nothing is committed when nothing changes, unless the day's books changed. On a conflict the difference is computed
    again; a caller that passes a decision must retry itself.
    """
    create(run, goal.table)
    with committing(run.settings.lake, goal.table.path):
        if goal.decision is not None:
            return _converge_once(run, goal, books)
        return retry_on_conflict(lambda: _converge_once(run, goal, books))


def _converge_once(run: Run, goal: DesiredSlice, books: Mapping[str, Any]) -> Change:
    goal = replace(goal, decision=goal.decision or decide(run, goal.table, goal.scope))
    diff = _difference(run, goal)
    if not diff.change.rows:
        return keep_books(run, goal.table, books)
    first, *_ = goal.table.partition
    books = {**books, "touched": [str(value) for value in diff.touched[first]]}
    if goal.after:
        goal.after.claim(run)
    way = arrow_merge if arrow_merge.fits(run, diff) else spark_merge
    return replace(diff.change, version=way.apply(run, diff, books))


def _difference(run: Run, goal: DesiredSlice) -> SliceDifference:
    assert goal.decision is not None
    table, decision = goal.table, goal.decision
    blank = goal.existing is None and not data_files.files(run.path(table), **values_as_text(goal.where))
    if goal.new or blank:
        rows = to_insert(goal.desired, table)
        if goal.size == 0 or (goal.size or 0) > plan_size.FEW_ROWS:
            partitions = [dict(zip(goal.where, values, strict=True)) for values in product(*goal.where.values())]
            change = Change(inserted=goal.size or 0, partitions=partitions)
            return SliceDifference(table=table, rows=rows, change=change, decision=decision)
    else:
        stored = goal.existing if goal.existing is not None else read_partitions(run, table, goal.where)
        rows = difference(goal.desired, stored, table).where(F.col(ACTION).isin(*goal.actions))
    few = fetched(rows, table) if plan_size.is_small(run.spark) else None
    computed, change, size = few or measured(rows, table)
    return SliceDifference(table=table, rows=computed, change=change, decision=decision, bytes=size)


def keep_books(run: Run, table: Table, books: Mapping[str, Any]) -> Change:
    """Commit the books without rows, unless the last commit already has them."""
    if not _books_changed(run, table, books):
        return Change()
    with delta_log.reading(run.path(table)) as stored:
        assert stored is not None
        commit_without_rows(stored, arrow_commit(run, {**books, "touched": []}))
    return Change(delta_log.version(run.path(table)))


def _books_changed(run: Run, table: Table, books: Mapping[str, Any]) -> bool:
    """Whether the day's last commit lacks these sources or counts."""
    if not table.keeps_books or "counts" not in books:
        return False
    if run.renews:
        return True
    last = delta_log.newest_commit(run.path(table), run.job, str(run.ds))
    return last is None or bool(last.books.get("counts") != books.get("counts"))
