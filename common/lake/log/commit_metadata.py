"""What a commit says about itself, written and read in one place: who made it, from what, and how the rows add up."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from deltalake import CommitProperties, DeltaTable, PostCommitHookProperties

from common.lake.log import delta_log
from common.runtime.code_version import code_revision, lock_revision

if TYPE_CHECKING:
    from common.contracts.layout import Table
    from common.runtime.run import Run

CLEAN_EVERY = 10
SPARK_OPTION = "spark.databricks.delta.commitInfo.userMetadata"


def signature(run: Run) -> dict[str, Any]:
    """Which run made the commit, with which code, and from what."""
    return {
        "job": run.job,
        "dataset": run.contract.name,
        "ds": str(run.ds),
        "run_id": run.run_id,
        "code": run.code,
        **({"rows_code": run.rows_code} if run.rows_code else {}),
        "revision": code_revision(),
        "lock": lock_revision(),
        **({"source": run.source} if run.source else {}),
        **({"sources": run.at, "source_ids": run.ids} if run.at else {}),
        **({"left_out": run.left_out} if run.left_out else {}),
    }


def with_snapshot(run: Run, tables: Sequence[Table]) -> Run:
    """The run with the version and the id of each source table fixed: it reads these, and its commits say so.

    A run of another day commits to several tables in turn. Versions that are still the newest once all are known belong to
    one moment, so no row is missing because it was moving from one table to another.
    """
    versions = _versions(run, tables)
    while (again := _versions(run, tables)) != versions:
        versions = again
    ids = {table.path: delta_log.table_id(run.path(table), versions[table.path]) for table in tables}
    return replace(run, at=versions, ids=ids)


def _versions(run: Run, tables: Sequence[Table]) -> dict[str, int]:
    return {table.path: delta_log.version(run.path(table)) for table in tables}


def beside(run: Run, tables: Iterable[Table]) -> dict[str, Any]:
    """For the last commit of a run that writes several tables: the id and version of the others."""
    states = {}
    for table in tables:
        version = delta_log.version(run.path(table))
        states[table.path] = [delta_log.table_id(run.path(table), version), version]
    return {"beside": states}


def recounted(run: Run, table: Table, facts: Mapping[str, Any]) -> dict[str, Any]:
    """For the last commit of a day: the facts, and whether they differ from those of the day's last one.

    Rows outside the table, such as refused ones, may change while its own rows stay the same.
    """
    last = delta_log.newest_commit(run.path(table), run.job, str(run.ds), complete=True)
    before = last.books if last else {}
    differs = any(name in before and before[name] != value for name, value in facts.items())
    return {**facts, **({"recounted": True} if differs else {})}


@contextmanager
def spark_commit(run: Run, books: Mapping[str, Any]) -> Iterator[None]:
    """Signs every Delta commit that this thread's Spark session makes inside the block."""
    run.spark.conf.set(SPARK_OPTION, _text({**signature(run), **books}))
    try:
        yield
    finally:
        run.spark.conf.unset(SPARK_OPTION)


def arrow_commit(run: Run, books: Mapping[str, Any] | None = None) -> CommitProperties:
    """The same for a commit that `deltalake` makes."""
    return unsigned_commit({**signature(run), **(books or {})})


def commit_without_rows(table: DeltaTable, commit: CommitProperties) -> None:
    table.create_write_transaction(
        [], "append", table.schema(), commit_properties=commit, post_commithook_properties=after_commit(table)
    )


def after_commit(table: DeltaTable) -> PostCommitHookProperties:
    """Look for expired commits as often as Spark does: by default deltalake lists the whole log after each commit."""
    is_due = (table.version() + 1) % CLEAN_EVERY == 0
    return PostCommitHookProperties(cleanup_expired_logs=None if is_due else False)


def unsigned_commit(facts: Mapping[str, Any]) -> CommitProperties:
    """For a table that no run of a job writes, such as a model's predictions."""
    return CommitProperties(custom_metadata={delta_log.USER_METADATA: _text(facts)})


def _text(facts: Mapping[str, Any]) -> str:
    return json.dumps(facts, default=str)
