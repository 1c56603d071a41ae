"""The gate's verdicts: rows of a small table, each with the version of the table that it judged."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from datetime import date
from typing import TYPE_CHECKING

import pyarrow as pa

from common.contracts.contract import Contract
from common.contracts.layout import Table
from common.lake import small_tables
from common.lake.slices import Slice

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
    where: Slice = {"ds": [verdict.ds], "table": [verdict.table]}
    books = {"counts": verdict.counts} if verdict.success else None
    small_tables.write_slice(run, table_of(run.contract), SCHEMA, [asdict(verdict)], where, books)


def read(run: Run, table: str, days: list[date]) -> dict[date, Verdict]:
    """The newest verdict on each of those days of the table."""
    where: Slice = {"ds": days, "table": [table]}
    rows = small_tables.read_slice(run.path(table_of(run.contract)), where).to_pylist()
    return {row["ds"]: Verdict(**row) for row in rows}
