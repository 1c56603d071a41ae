"""The rules of a table, drawn from its contract: what Great Expectations is to check."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from common import aggregates as agg
from common.contract import Column, Contract, Severity
from common.layout import STAGES, Table


@dataclass(frozen=True)
class Rule:
    """One expectation by its Great Expectations class name; `why` is for the page of the contract."""

    expectation: str
    arguments: dict[str, Any] = field(default_factory=dict)
    severity: Severity = Severity.ERROR

    @property
    def column(self) -> str | None:
        found = self.arguments.get("column")
        return str(found) if found else None

    @property
    def words(self) -> str:
        shown = ", ".join(f"{name}={value}" for name, value in self.arguments.items() if name != "column")
        return f"{self.expectation}({shown})"


def table_of(contract: Contract, name: str) -> Table:
    _, layout = STAGES[name]
    return layout(contract)


def rules_of(contract: Contract, name: str) -> list[Rule]:
    shape = [
        Rule("ExpectTableColumnsToMatchSet", {"column_set": table_of(contract, name).names, "exact_match": True}),
        Rule("ExpectTableRowCountToBeBetween", {"min_value": 1}, Severity.WARN),
    ]
    own = {"raw": _raw, "processed": _processed, "features": _features}[name]
    return [*shape, *own(contract)]


def _raw(contract: Contract) -> Iterator[Rule]:
    """Nothing is typed yet: only that the day is not mostly holes."""
    for column in contract.columns:
        if column.required:
            yield _column("ExpectColumnValuesToNotBeNull", column, mostly=1 - contract.refused_share)


def _processed(contract: Contract) -> Iterator[Rule]:
    yield _unique(contract.key)
    for column in (*contract.columns, *contract.derived):
        if column.required:
            yield _column("ExpectColumnValuesToNotBeNull", column)
        if column.values:
            yield _column("ExpectColumnValuesToBeInSet", column, value_set=list(column.values))
        if column.pattern:
            yield _column("ExpectColumnValuesToMatchRegex", column, regex=column.pattern)
        bounds = _bounds(column)
        if bounds:
            yield _column("ExpectColumnValuesToBeBetween", column, **bounds)


def _features(contract: Contract) -> Iterator[Rule]:
    entity = contract.features.entity
    yield Rule("ExpectColumnValuesToNotBeNull", {"column": entity})
    yield _unique((entity,))
    for each in contract.features.columns:
        if isinstance(each.rule, agg.Share):
            yield Rule("ExpectColumnValuesToBeBetween", {"column": each.name, "min_value": 0, "max_value": 1})
        if isinstance(each.rule, agg.Count | agg.Distinct | agg.ActiveDays | agg.DaysSinceLast):
            yield Rule("ExpectColumnValuesToBeBetween", {"column": each.name, "min_value": 0})
        if isinstance(each.rule, agg.Flag):
            yield Rule("ExpectColumnValuesToBeInSet", {"column": each.name, "value_set": [0, 1]})


def _unique(columns: tuple[str, ...]) -> Rule:
    if len(columns) == 1:
        return Rule("ExpectColumnValuesToBeUnique", {"column": columns[0]})
    return Rule("ExpectCompoundColumnsToBeUnique", {"column_list": list(columns)})


def _bounds(column: Column) -> dict[str, Any]:
    low = column.minimum if column.minimum is not None else column.above
    bounds: dict[str, Any] = {}
    if low is not None:
        bounds |= {"min_value": float(low), "strict_min": column.above is not None}
    if column.maximum is not None:
        bounds["max_value"] = float(column.maximum)
    return bounds


def _column(expectation: str, column: Column, **arguments: Any) -> Rule:
    return Rule(expectation, {"column": column.name, **arguments})
