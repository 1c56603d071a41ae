"""Run a table's rules through Great Expectations and convert its results to CheckResult."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from common.contracts.expectations import Rule
from common.lake.storage.files import is_local, local_path
from common.lake.storage.locks import hold_here
from common.quality import gx
from common.quality.result import EXAMPLES, CheckResult

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from common.quality.measured_rules import MeasuredTable

T = TypeVar("T")

WAIT_SECONDS = 60
Opened = tuple[Any, Any]  # Great Expectations' context, and the checkpoint of the table in it


def open_check(rules: list[Rule], name: str, lake: str | None = None) -> Opened:
    """Open the table's checkpoint: in a local lake, where its results are stored; else in memory."""
    if lake is None or not is_local(lake):
        context = gx.passing_context()
        return context, gx.checkpoint(context, name, rules)
    # One context file serves all datasets, so read and change it under a lock.
    with hold_here(lake, "gx", WAIT_SECONDS):
        return gx.stored_checkpoint(local_path(lake), name, rules)


def run_rules(
    rows: DataFrame,
    rules: list[Rule],
    name: str,
    lake: str | None = None,
    masked: frozenset[str] = frozenset(),
    number: int | None = None,
    opened: Callable[[], Opened] | None = None,
) -> list[CheckResult]:
    """Return the result of every rule, in order. With a local lake, suite and results are stored in it.

    `number` is that of the rows, if known: they are then not counted again. `opened` tells what `open_check` returned.
    """

    def validated(opened: Callable[[], Opened]) -> dict[int, Any]:
        return gx.validate(*opened(), rows, masked, number)

    by_position = _stored_or_not(validated, rules, name, lake, opened)
    return [_result(rule, by_position[position], rows.columns) for position, rule in enumerate(rules)]


def judge_measured(
    table: MeasuredTable,
    rules: list[Rule],
    name: str,
    lake: str | None = None,
    masked: frozenset[str] = frozenset(),
    opened: Callable[[], Opened] | None = None,
) -> list[CheckResult] | None:
    """Return the same without the rows; None unless what was measured of them tells that every rule holds."""

    def validated(opened: Callable[[], Opened]) -> dict[int, Any] | None:
        return gx.judge(*opened(), table, masked)

    by_position = _stored_or_not(validated, rules, name, lake, opened)
    if by_position is None:
        return None
    return [_result(rule, by_position[position], table.columns.names) for position, rule in enumerate(rules)]


def _stored_or_not(
    validated: Callable[[Callable[[], Opened]], T],
    rules: list[Rule],
    name: str,
    lake: str | None,
    opened: Callable[[], Opened] | None,
) -> T:
    try:
        return validated(opened or partial(open_check, rules, name, lake))
    except (OSError, gx.library().exceptions.GreatExpectationsError) as error:
        if lake is None or not is_local(lake):
            raise
        # The gate can still decide.
        logging.getLogger("pipeline").warning(
            "results of %s are not kept in %s; check the folder and run validate again to store them: %s",
            name,
            Path(lake) / "gx",
            error,
        )
        return validated(partial(open_check, rules, name))


def _result(rule: Rule, validation: Any, columns: list[str]) -> CheckResult:
    result = validation.result or {}
    values = result.get("partial_unexpected_list") or result.get("partial_missing_list") or _mismatched(result)
    examples = [str(value) for value in values]
    return CheckResult(
        expectation=rule.words,
        column=rule.column,
        severity=rule.severity,
        success=bool(validation.success),
        checked=result.get("element_count") or 0,
        failed=result.get("unexpected_count") or 0,
        observed=None if validation.success else result.get("observed_value"),
        limit=None if validation.success else rule.limit,
        examples=list(dict.fromkeys(examples))[:EXAMPLES],
        problem=_problem(rule, validation.exception_info or {}, columns),
    )


def _mismatched(result: dict[str, Any]) -> list[str]:
    """List the missing and the unexpected columns of a table."""
    columns = (result.get("details") or {}).get("mismatched")
    return [f"{name} is {how}" for how, names in columns.items() for name in names] if isinstance(columns, dict) else []


def _problem(rule: Rule, info: dict[str, Any], columns: list[str]) -> str:
    """Return why the rule could not run. `info` is one exception, or one for each metric."""
    entries = [info] if "raised_exception" in info else list(info.values())
    raised = [entry["exception_message"] for entry in entries if entry.get("raised_exception")]
    missing = [name for name in rule.columns if name not in columns]
    if raised and missing:
        return f"there is no column {', '.join(missing)}"
    return "; ".join(dict.fromkeys(str(message).strip().split("\n")[0] for message in raised))
