"""Great Expectations as the gate: runs a table's rules over a day and says what failed, where and how often."""

from __future__ import annotations

import logging
import os
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from common.contract import Severity
from common.rules import Rule

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

EXAMPLES = 5


@dataclass(frozen=True)
class Result:
    """`problem` is set where the check could not run at all, which is not the same as bad data."""

    expectation: str
    column: str | None
    severity: Severity
    success: bool
    checked: int = 0
    failed: int = 0
    observed: Any = None
    examples: list[str] = field(default_factory=list)
    problem: str = ""

    @property
    def words(self) -> str:
        where = f" on {self.column}" if self.column else ""
        if self.problem:
            return f"{self.expectation}{where} could not be checked: {self.problem}"
        seen = f", observed {self.observed}" if self.observed is not None else ""
        shown = f", for example {', '.join(self.examples)}" if self.examples else ""
        return f"{self.expectation}{where} failed: {self.failed:,} of {self.checked:,} rows{seen}{shown}"

    def facts(self) -> dict[str, Any]:
        return {name: value for name, value in asdict(self).items() if value not in ("", None, [])}


def check(rows: DataFrame, rules: list[Rule], name: str) -> list[Result]:
    """Every rule's result, in the order of the rules. Examples are looked for only where a rule has failed: each such
    list is a pass of its own over the day."""
    gx = _great_expectations()
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    asset = context.data_sources.add_spark(name="day", persist=False).add_dataframe_asset(name=name)
    batch = asset.add_batch_definition_whole_dataframe("day").get_batch(batch_parameters={"dataframe": rows})
    quick = _validate(gx, batch, dict(enumerate(rules)), {"result_format": "BOOLEAN_ONLY"})
    failed = {place: rules[place] for place, found in quick.items() if not found.success}
    detail = {"result_format": "BASIC", "partial_unexpected_count": EXAMPLES}
    found = quick | (_validate(gx, batch, failed, detail) if failed else {})
    return [_result(rule, found[place]) for place, rule in enumerate(rules)]


def _validate(gx: Any, batch: Any, rules: dict[int, Rule], result_format: dict[str, Any]) -> dict[int, Any]:
    suite = gx.ExpectationSuite(name="rules")
    for place, rule in rules.items():
        suite.add_expectation(getattr(gx.expectations, rule.expectation)(**rule.arguments, meta={"rule": place}))
    found = batch.validate(suite, result_format=result_format)
    return {each.expectation_config.meta["rule"]: each for each in found.results}


def _great_expectations() -> Any:
    # It would report its use over the network.
    os.environ["GX_ANALYTICS_ENABLED"] = "false"
    import great_expectations as gx

    logging.getLogger("great_expectations").setLevel(logging.ERROR)
    return gx


def _result(rule: Rule, found: Any) -> Result:
    result = found.result or {}
    examples = [str(value) for value in result.get("partial_unexpected_list") or []]
    return Result(
        expectation=rule.expectation,
        column=rule.column,
        severity=rule.severity,
        success=bool(found.success),
        checked=result.get("element_count") or 0,
        failed=result.get("unexpected_count") or 0,
        observed=None if found.success else result.get("observed_value"),
        examples=list(dict.fromkeys(examples))[:EXAMPLES],
        problem=_problem(found.exception_info or {}),
    )


def _problem(info: dict[str, Any]) -> str:
    """The flat form, or one entry for each metric that raised."""
    entries = [info] if "raised_exception" in info else list(info.values())
    raised = [each["exception_message"] for each in entries if each.get("raised_exception")]
    return "; ".join(dict.fromkeys(str(message).strip().split("\n")[0] for message in raised))
