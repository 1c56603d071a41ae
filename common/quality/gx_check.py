"""Runs a table's rules through Great Expectations, and turns its results into ours."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

from common.contracts.expectations import Rule
from common.lake.files import is_local, local_path
from common.lake.locks import hold
from common.quality import gx
from common.quality.result import EXAMPLES, CheckResult

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


WAIT_SECONDS = 60


def run_rules(
    rows: DataFrame, rules: list[Rule], name: str, lake: str | None = None, masked: frozenset[str] = frozenset()
) -> list[CheckResult]:
    """Every rule's result, in the order of the rules. With a lake, Great Expectations keeps suite and results there."""
    found = _kept(rows, rules, name, lake, masked) if lake and is_local(lake) else None
    if found is None:
        context = gx.passing_context()
        found = gx.validate(context, gx.checkpoint(context, name, rules), rows, masked)
    return [_result(rule, found[place], rows.columns) for place, rule in enumerate(rules)]


def _kept(rows: DataFrame, rules: list[Rule], name: str, lake: str, masked: frozenset[str]) -> dict[int, Any] | None:
    """The results with what Great Expectations keeps of them; nothing where it can't be kept: the gate still decides."""
    errors = gx.library().exceptions.GreatExpectationsError
    try:
        # The context is one file for all datasets: who changes it reads it first, and is alone.
        with hold(lake, "gx", WAIT_SECONDS):
            context = gx.file_context(local_path(lake))
            check_ = gx.checkpoint(context, name, rules)
        return gx.validate(context, check_, rows, masked)
    except (OSError, errors) as error:
        logging.getLogger("pipeline").warning("results of %s are not kept in %s: %s", name, Path(lake) / "gx", error)
        return None


def _result(rule: Rule, found: Any, there: list[str]) -> CheckResult:
    result = found.result or {}
    values = result.get("partial_unexpected_list") or result.get("partial_missing_list") or _mismatched(result)
    examples = [str(value) for value in values]
    return CheckResult(
        expectation=rule.words,
        column=rule.column,
        severity=rule.severity,
        success=bool(found.success),
        checked=result.get("element_count") or 0,
        failed=result.get("unexpected_count") or 0,
        observed=None if found.success else result.get("observed_value"),
        limit=None if found.success else rule.limit,
        examples=list(dict.fromkeys(examples))[:EXAMPLES],
        problem=_problem(rule, found.exception_info or {}, there),
    )


def _mismatched(result: dict[str, Any]) -> list[str]:
    """Which columns a table lacks, and which it has besides."""
    found = (result.get("details") or {}).get("mismatched")
    return [f"{name} is {how}" for how, names in found.items() for name in names] if isinstance(found, dict) else []


def _problem(rule: Rule, info: dict[str, Any], there: list[str]) -> str:
    """The flat form, or one entry for each metric that raised."""
    entries = [info] if "raised_exception" in info else list(info.values())
    raised = [each["exception_message"] for each in entries if each.get("raised_exception")]
    gone = [name for name in rule.columns if name not in there]
    if raised and gone:
        return f"there is no column {', '.join(gone)}"
    return "; ".join(dict.fromkeys(str(message).strip().split("\n")[0] for message in raised))
