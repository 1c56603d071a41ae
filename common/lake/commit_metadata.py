"""What a commit says about itself, written and read in one place: who made it, from what, and how the rows add up."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from deltalake import CommitProperties

from common.lake import delta_log
from common.runtime.code_version import code_revision, lock_revision

if TYPE_CHECKING:
    from common.contracts.layout import Table
    from common.runtime.run import Run

SPARK_OPTION = "spark.databricks.delta.commitInfo.userMetadata"


def signature(run: Run) -> dict[str, str]:
    """Which run made the commit, with which code."""
    return {
        "job": run.job,
        "dataset": run.contract.name,
        "ds": str(run.ds),
        "run_id": run.run_id,
        "code": run.code,
        "revision": code_revision(),
        "lock": lock_revision(),
    }


def source_versions(run: Run, tables: Iterable[Table]) -> dict[str, int]:
    """The newest version of each source table, by path."""
    return {table.path: delta_log.version(run.path(table)) for table in tables}


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


def unsigned_commit(facts: Mapping[str, Any]) -> CommitProperties:
    """For a table that no run of a job writes, such as a model's predictions."""
    return CommitProperties(custom_metadata={delta_log.USER_METADATA: _text(facts)})


def _text(facts: Mapping[str, Any]) -> str:
    return json.dumps(facts, default=str)
