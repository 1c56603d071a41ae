"""What a day's results mean: errors stop the run, warnings are recorded and shown."""

from __future__ import annotations

from pyspark.sql import functions as F

from common import quality, rules, runs, stale, tables
from common.contract import Severity
from common.days import around
from common.errors import ContractBroken
from common.layout import STAGES
from common.quality import Result
from common.run import Outcome, Run


def check_rows(run: Run) -> list[Result]:
    """The table's rules on the rows that the run of ds has brought."""
    name, contract = run.options["table"], run.contract
    stale.insist_made(run, name)
    table = rules.table_of(contract, name)
    if name == "processed":
        rows = tables.read(run, table, {"event_date": around(run.ds, contract.lateness_days)})
        rows = rows.where(F.col("arrived") == F.lit(run.ds))
    else:
        rows = tables.read(run, table, {"ds": [run.ds]})
    return quality.check(rows, rules.rules_of(contract, name), f"{contract.name}.{name}")


def check_books(run: Run) -> list[Result]:
    """A source that is broken must not drain into quarantine quietly."""
    if run.options["table"] == "features":
        return []
    job, _ = STAGES[run.options["table"]]
    line = runs.line_of(run, job)
    counts = line.get("counts", {})
    rows_in, refused = counts.get("rows_in", counts.get("landed", 0)), counts.get("quarantined", 0)
    limit = run.contract.refused_share
    return [
        Result(
            expectation=f"RefusedShareToBeAtMost({limit:g})",
            column=None,
            severity=run.contract.refused_severity,
            success=refused <= limit * rows_in,
            checked=rows_in,
            failed=refused,
            observed=round(refused / rows_in, 4) if rows_in else 0,
        )
    ]


def decide(run: Run, results: list[Result]) -> Outcome:
    failed = [result for result in results if not result.success]
    errors = [result for result in failed if result.severity == Severity.ERROR or result.problem]
    warnings = [result for result in failed if result not in errors]
    for result in warnings:
        run.log.warning("%s", result.words)
    for result in errors:
        run.log.error("%s", result.words)
    if errors:
        raise ContractBroken(
            f"{run.contract.name} {run.options['table']} of {run.ds}: {len(errors)} of {len(results)} rules failed; nothing "
            f"downstream should read this day. First: {errors[0].words}. Mend the source or the contract, and run the day again.",
            [result.facts() for result in failed],
        )
    counts = {"rules": len(results), "passed": len(results) - len(failed), "warnings": len(warnings)}
    return Outcome("done", counts, facts={"warnings": [result.facts() for result in warnings]} if warnings else {})
