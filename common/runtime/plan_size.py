"""How Spark plans: what a small day costs is its plans and tasks, not its rows; what a large day costs is its rows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from common.runtime import session_kind

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

# Compiling a plan takes longer than interpreting it over few rows, and its dates make each day's plan a new one to the compiler.
INTERPRETED = {"spark.sql.codegen.wholeStage": "false", "spark.sql.codegen.factoryMode": "NO_CODEGEN"}
ONE_TASK_BYTES = 4 << 20
# The most rows that this process takes from Spark at once, and merges by itself.
FEW_ROWS = 50_000
# What this process reads for Spark: so little is read before a worker has started.
FEW_BYTES = 1 << 20

SMALL = "pipeline.small"


def is_small(session: SparkSession) -> bool:
    return session.conf.get(SMALL, "false") == "true"


def begin_small(session: SparkSession) -> None:
    """Take data for small until a large slice is read, unless spark-submit's options say how to plan."""
    session.conf.set(SMALL, "true")
    for name in _ours():
        session.conf.set(name, INTERPRETED[name])


def tasks(session: SparkSession) -> int:
    """More than there are cores, so that none is idle while another one reads the largest file."""
    return 2 * session_kind.parallelism(session)


def by_size(rows: DataFrame, stored_bytes: int) -> DataFrame:
    """Few rows in one task, as Spark plans no shuffle behind a single partition; after many, plans are compiled."""
    if stored_bytes <= ONE_TASK_BYTES:
        return rows.coalesce(1)
    begin_large(rows.sparkSession)
    return rows


def begin_large(session: SparkSession) -> None:
    """Take data for large from now on."""
    session.conf.set(SMALL, "false")
    for name in _ours():
        session.conf.unset(name)


def _ours() -> Iterator[str]:
    """The settings that spark-submit's options leave to us."""
    return (name for name in INTERPRETED if not session_kind.is_submitted(name))
