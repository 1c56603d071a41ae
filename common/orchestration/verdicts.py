"""The gate's verdicts: rows of a small table, each with the version of the table that it judged."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from datetime import date
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from common.contracts import suite
from common.contracts.contract import Contract
from common.contracts.layout import Table, made_once
from common.days import from_text
from common.lake import small_tables
from common.lake.log import delta_log
from common.lake.log.delta_log import Commit
from common.lake.sql_conditions import Slice
from common.lake.storage.files import read_json
from common.orchestration import run_log

if TYPE_CHECKING:
    from common.runtime.run import Run

SCHEMA = pa.schema(
    [
        ("ds", pa.date32()),
        ("table", pa.string()),
        ("table_id", pa.string()),
        ("version", pa.int64()),
        ("success", pa.bool_()),
        ("rules", pa.int64()),
        ("passed", pa.int64()),
        ("failed", pa.list_(pa.string())),
        ("warned", pa.list_(pa.string())),
        ("run_id", pa.string()),
    ]
)


@made_once
def table_of(contract: Contract) -> Table:
    """The gate's newest verdict on each table and day."""
    return Table(
        path=f"verdicts/{contract.name}",
        columns=tuple((field.name, str(field.type)) for field in SCHEMA),
        key=("table",),
        partition=("ds",),
        retention_days=contract.retention_days,
    )


@dataclass(frozen=True, kw_only=True)
class Verdict:
    ds: date
    table: str
    table_id: str
    version: int
    success: bool
    rules: int
    passed: int
    failed: list[str]  # the rules that stopped the day
    warned: list[str]
    run_id: str

    @property
    def counts(self) -> dict[str, int]:
        return {"rules": self.rules, "passed": self.passed, "warnings": len(self.warned)}


def keep(run: Run, verdict: Verdict) -> None:
    """Store the verdict in place of the day's last one. One that stops the day has no counts: it is judged again."""
    before = None if run.renews else read(run, verdict.table, [verdict.ds]).get(verdict.ds)
    if before and replace(before, version=verdict.version, run_id=verdict.run_id) == verdict:
        return
    _write(run, [verdict], {"counts": verdict.counts} if verdict.success else None)


def assume_passed(run: Run, table: str, days: list[date], where: tuple[str, int]) -> None:
    """Store verdicts as if the gate had passed those days of this table: for a copy of rows that it passed."""
    table_id, version = where
    facts: dict[str, Any] = {"table": table, "table_id": table_id, "version": version, "run_id": run.run_id}
    no_rules: dict[str, Any] = {"success": True, "rules": 0, "passed": 0, "failed": [], "warned": []}
    _write(run, [Verdict(ds=day, **facts, **no_rules) for day in days])


def _write(run: Run, verdicts: list[Verdict], books: dict[str, Any] | None = None) -> None:
    where: Slice = {"ds": [each.ds for each in verdicts], "table": sorted({each.table for each in verdicts})}
    small_tables.write_slice(run, table_of(run.contract), SCHEMA, [asdict(each) for each in verdicts], where, books)


def read(run: Run, table: str, days: list[date]) -> dict[date, Verdict]:
    """The newest verdict on each of those days of the table."""
    uri = run.path(table_of(run.contract))
    newest = delta_log.version(uri)
    known = _known(uri, newest, delta_log.table_id(uri, newest), table)
    if missing := [day for day in days if day not in known]:
        rows = small_tables.read_slice(uri, {"ds": missing, "table": [table]}, version=newest).to_pylist()
        found = {from_text(row["ds"]): Verdict(**{**row, "ds": from_text(row["ds"])}) for row in rows}
        # In one step, because the threads of a backfill share what is known.
        known |= {day: found.get(day) or _before_0_2(run, table, day) for day in missing}
    return {day: verdict for day in days if (verdict := known[day])}


def passed_by(commit: Commit, contract: Contract, table: str) -> Verdict | None:
    """The verdict that the commit stored, without the names of warnings; None unless it passed one day of the table."""
    judged, books = suite.table_of(contract, table).path, commit.books
    counts, versions, ids = (books.get(name, {}) for name in ("counts", "sources", "source_ids"))
    if books.get("job") != f"validate-{table}" or not counts or judged not in versions or judged not in ids:
        return None
    return Verdict(
        ds=from_text(books["ds"]),
        table=table,
        table_id=ids[judged],
        version=versions[judged],
        success=True,
        rules=counts["rules"],
        passed=counts["passed"],
        failed=[],
        warned=[],
        run_id=books["run_id"],
    )


@lru_cache(maxsize=16)
def _known(uri: str, version: int, table_id: str, table: str) -> dict[date, Verdict | None]:
    """What this process has read of that version: a run asks for the same days again for each day of its window."""
    return {}


def _before_0_2(run: Run, table: str, day: date) -> Verdict | None:
    """The verdict in the validation's results, where 0.1 kept it: without the id of the table that it judged."""
    kept = read_json(run_log.results_place(run.settings.lake, run.contract.name, table, day))
    if not kept or "table_id" in kept:
        return None
    results = kept["results"]
    failed = [result["expectation"] for result in results if not result["success"]]
    return Verdict(
        ds=day,
        table=table,
        table_id="",
        version=kept["version"],
        success=kept["success"],
        rules=len(results),
        passed=len(results) - len(failed),
        failed=[] if kept["success"] else failed,
        warned=failed if kept["success"] else [],
        run_id=kept["run_id"],
    )
