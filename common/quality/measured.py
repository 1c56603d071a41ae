"""What the step that made a day's rows has measured of them, so that the gate need not read them again.

Measured are the number of rows, those that break each rule, the numbers that some rules need, whether keys repeat, and the
profiles. They are worth nothing once the rows have changed: the gate then measures them itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pyspark.errors import PySparkException

from common.contracts import layout, suite
from common.contracts.contract import Contract
from common.lake import small_tables
from common.lake.log import delta_log
from common.lake.log.delta_log import Commit
from common.orchestration import admission
from common.orchestration.changes import Logs
from common.quality import broken_rules, profiles
from common.quality.profiles import Profile
from common.quality.shown_values import Shown, shown
from common.runtime import plan_size
from common.runtime.run import Run

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

BOOKS = "measured"
ROWS, KEYS = "_rows", "_keys"


@dataclass(frozen=True)
class Measured:
    rows: int
    nulls: Mapping[str, int]  # by column
    broken: Mapping[str, int]  # by the place of the rule
    numbers: Mapping[str, str | None] = field(default_factory=dict)  # by the place of the rule that needs it
    unique: bool | None = None  # whether no two rows have the same key; where hashes meet by chance, it says no
    profiles: Sequence[Profile] = field(default=(), repr=False)

    @classmethod
    def of(cls, rows: int, counts: Mapping[str, Any], **more: Any) -> Measured:
        nulls, broken, numbers = (broken_rules.found(counts, kind) for kind in broken_rules.KINDS)
        return cls(rows, nulls, broken, numbers, **more)

    @property
    def books(self) -> dict[str, Any]:
        known = {"rows": self.rows, "nulls": self.nulls, "broken": self.broken, "unique": self.unique}
        return {**known, "numbers": self.numbers} if self.numbers else known


def take(run: Run, name: str, rows: DataFrame) -> Measured:
    from pyspark.sql import functions as F

    contract = run.contract
    counts = [F.count_if(what).alias(told) for told, what in broken_rules.conditions(contract, name).items()]
    counts += [number.alias(told) for told, number in broken_rules.numbers(contract, name).items()]
    profile = [] if name == "raw" else profiles.aggregates(contract, name)
    row = _with_keys(rows, key_of(contract, name), [F.count(F.lit(1)).alias(ROWS), *counts, *profile])
    found = row.first()
    assert found is not None
    values = found.asDict(recursive=True)
    unique = values[KEYS] == values[ROWS] if KEYS in values else None
    profiled = profiles.of_row(run, name, values) if profile else []
    return Measured.of(values[ROWS], values, unique=unique, profiles=profiled)


def _with_keys(rows: DataFrame, key: Sequence[str], measures: Sequence[Column]) -> DataFrame:
    """The measures, and the number of different keys. They differ where their hashes do.

    Were Spark to count both together, it would make each sketch for each key. One task need not shuffle for a window.
    """
    from pyspark.sql import Window
    from pyspark.sql import functions as F

    if not key:
        return rows.agg(*measures)
    hashed = F.xxhash64(*key)
    if plan_size.is_small(rows.sparkSession):
        first = F.row_number().over(Window.partitionBy(hashed).orderBy(hashed)) == 1
        return rows.withColumn(KEYS, first).agg(F.count_if(KEYS).alias(KEYS), *measures)
    return rows.agg(*measures).crossJoin(rows.agg(F.count_distinct(hashed).alias(KEYS)))


def key_of(contract: Contract, name: str) -> tuple[str, ...]:
    """The columns that identify a row of a day."""
    return {"processed": contract.key, "features": (contract.features.entity,)}.get(name, ())


def leave(run: Run, name: str, rows: DataFrame, version: int) -> None:
    """Measure the rows that the run has committed as that version, if any, and store it for the gate."""
    if version < 0:
        return
    try:
        keep(run, name, take(run, name, rows), version)
    except (PySparkException, *small_tables.WRITE_ERRORS) as error:
        run.log.info("the rows could not be measured here, so validate will do it: %s", str(error).split("\n")[0])


def keep(run: Run, name: str, measured: Measured, version: int) -> None:
    table = suite.table_of(run.contract, name)
    facts = {"table": name, "table_id": delta_log.table_id(run.path(table)), "version": version, **measured.books}
    profiles.keep(run, name, measured.profiles, {BOOKS: facts})


def kept(run: Run, name: str) -> Measured | None:
    """What was measured of the rows as they are now, under this contract; None if that is not known."""
    logs = Logs(run)
    commit = _newest(logs, name)
    if commit is None or commit.books.get("code") != run.code or run.left_out or not _stands(commit, logs, name):
        return None
    facts = commit.books[BOOKS]
    stored = [] if name == "raw" else profiles.of_day(run, name)
    if name != "raw" and (not stored or _hides_newest(run.contract, name)):
        return None
    return Measured(facts["rows"], facts["nulls"], facts["broken"], facts.get("numbers", {}), facts["unique"], stored)


def _newest(logs: Logs, name: str) -> Commit | None:
    """Raw's own last commit tells, of the others that of their profiles."""
    run = logs.run
    table = layout.raw(run.contract) if name == "raw" else profiles.table_of(run.contract)
    for commit in logs.about(table, run.ds):
        facts = commit.books.get(BOOKS)
        if facts and commit.books["ds"] == str(run.ds) and facts.get("table", "raw") == name:
            return commit
    return None


def _stands(commit: Commit, logs: Logs, name: str) -> bool:
    """Whether the rows are those that were measured."""
    facts, table = commit.books[BOOKS], suite.table_of(logs.run.contract, name)
    then = (facts.get("table_id") or logs.now(table)[0], facts.get("version", commit.version))
    return admission.unchanged(name, logs.run.ds, then, logs)


def _hides_newest(contract: Contract, name: str) -> bool:
    """Whether freshness needs the newest event time, and it must not be stored."""
    return (
        name == "processed"
        and bool(contract.event_time)
        and shown(contract, name, str(contract.event_time)) is Shown.NEWEST
    )
