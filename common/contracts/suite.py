"""Build the Great Expectations rules of a table from its contract."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from common.contracts import aggregates as agg
from common.contracts.changes import CHANGED, changes_of
from common.contracts.checking.field_types import base_type
from common.contracts.contract import Column, Contract
from common.contracts.expectations import Rule
from common.contracts.layout import STAGES, Table

# Spark's names of the column types.
SPARK_TYPES = {
    "string": "StringType",
    "int": "IntegerType",
    "long": "LongType",
    "double": "DoubleType",
    "decimal": "DecimalType",
    "boolean": "BooleanType",
    "date": "DateType",
    "timestamp": "TimestampType",
}


def table_of(contract: Contract, name: str) -> Table:
    _, layout = STAGES[name]
    return layout(contract)


def rules_of(contract: Contract, name: str) -> list[Rule]:
    """Return the rules that the contract implies, then those that it declares."""
    table = table_of(contract, name)
    shape = [
        Rule("ExpectTableColumnsToMatchSet", {"column_set": table.names, "exact_match": True}),
        Rule("ExpectTableRowCountToBeBetween", {"min_value": 1}, contract.empty_severity),
        *(
            Rule("ExpectColumnValuesToBeOfType", {"column": column, "type_": SPARK_TYPES[base_type(type_)]})
            for column, type_ in table.columns
        ),
    ]
    implied = {"raw": _raw, "processed": _processed, "features": _features}[name]
    return [*shape, *implied(contract), *(rule for rule in contract.rules if rule.table == name)]


def _raw(contract: Contract) -> Iterator[Rule]:
    """Check required columns for nulls only: raw values are untyped text. Of a deleted row only the key is known."""
    known = (*contract.key, *CHANGED) if changes_of(contract) else [column.name for column in contract.columns]
    for column in contract.columns:
        if column.required and column.name in known:
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
    for feature in contract.features.columns:
        if isinstance(feature.rule, agg.Share) or _is_share(contract, feature.rule):
            yield Rule("ExpectColumnValuesToBeBetween", {"column": feature.name, "min_value": 0, "max_value": 1})
        if isinstance(feature.rule, agg.Count | agg.Distinct | agg.ActiveDays | agg.DaysSinceLast):
            yield Rule("ExpectColumnValuesToBeBetween", {"column": feature.name, "min_value": 0})
        if isinstance(feature.rule, agg.Flag):
            yield Rule("ExpectColumnValuesToBeInSet", {"column": feature.name, "value_set": [0, 1]})


def _is_share(contract: Contract, rule: agg.Aggregate) -> bool:
    """Whether a ratio must be in [0, 1]: the same sum or count over a window within the divisor's window."""
    if not isinstance(rule, agg.FeatureRatio) or not 0 <= rule.zero <= 1:
        return False
    declared = {feature.name: feature.rule for feature in contract.features.columns}
    part, whole = declared.get(rule.numerator), declared.get(rule.divisor)
    if not isinstance(part, agg.Windowed) or not isinstance(whole, agg.Windowed) or part.days > whole.days:
        return False
    if replace(part, days=whole.days) != whole:
        return False
    return isinstance(part, agg.Count | agg.ActiveDays | agg.Distinct) or _adds_up(contract, part)


def _adds_up(contract: Contract, rule: agg.Windowed) -> bool:
    """Whether more days can only increase the sum. Double sums are excluded: their rounding depends on the order."""
    if not isinstance(rule, agg.Sum):
        return False
    columns = (*contract.columns, *contract.derived, *contract.features.measures)
    column = next(column for column in columns if column.name == rule.column)
    low = column.least
    return low is not None and low >= 0 and column.type != "double"


def _unique(columns: tuple[str, ...]) -> Rule:
    if len(columns) == 1:
        return Rule("ExpectColumnValuesToBeUnique", {"column": columns[0]})
    return Rule("ExpectCompoundColumnsToBeUnique", {"column_list": list(columns)})


def _bounds(column: Column) -> dict[str, Any]:
    low = column.least
    bounds: dict[str, Any] = {}
    if low is not None:
        bounds |= {"min_value": float(low), "strict_min": column.above is not None}
    if column.maximum is not None:
        bounds["max_value"] = float(column.maximum)
    return bounds


def _column(expectation: str, column: Column, **arguments: Any) -> Rule:
    return Rule(expectation, {"column": column.name, **arguments})
