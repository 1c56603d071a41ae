"""What Spark counts for the step that makes the rows: how many break a rule (nulls, ranges, sets, patterns), and some numbers.

Each condition and number is the one that Great Expectations asks Spark for. Other rules, and all that fail, it asks of the
rows itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import reduce
from operator import or_
from typing import TYPE_CHECKING, Any

from common.contracts import suite
from common.contracts.checking.field_types import base_type
from common.contracts.contract import Contract
from common.contracts.expectations import Rule
from common.contracts.number_types import NUMERIC
from common.quality.shown_values import Shown, shown
from common.runtime.kept_columns import once_a_declaration

if TYPE_CHECKING:
    from pyspark.sql import Column

KINDS = NULL, BROKEN, NUMBER = "null", "broken", "number"
# The arguments that a count takes into account; `mostly` is judged later, from the count.
TAKEN = {
    "ExpectColumnValuesToBeBetween": {"column", "mostly", "min_value", "max_value", "strict_min", "strict_max"},
    "ExpectColumnValuesToBeInSet": {"column", "mostly", "value_set"},
    "ExpectColumnValuesToMatchRegex": {"column", "mostly", "regex"},
}
# Those that one number of all rows decides, and which.
DECIDED_BY = {
    "ExpectColumnMeanToBeBetween": "mean",
    "ExpectColumnMinToBeBetween": "min",
    "ExpectColumnMaxToBeBetween": "max",
}
# Those that are also told how many nulls there are.
VALUES = {*TAKEN, "ExpectColumnValuesToNotBeNull", "ExpectColumnValuesToBeUnique", "ExpectCompoundColumnsToBeUnique"}


@once_a_declaration
def conditions(contract: Contract, name: str) -> dict[str, Column]:
    """What to count the rows by: nulls of each column that a rule names, and each rule that they can break, by its place."""
    from pyspark.sql import functions as F

    types, rules = _types(contract, name), suite.rules_of(contract, name)
    broken = {f"{BROKEN} {place}": _broken(rule, types) for place, rule in enumerate(rules)}
    named = {column for rule in rules if rule.expectation in VALUES for column in rule.columns}
    nulls = {f"{NULL} {column}": F.isnull(F.col(f"`{column}`")) for column in sorted(named & types.keys())}
    return {what: condition for what, condition in {**nulls, **broken}.items() if condition is not None}


@once_a_declaration
def numbers(contract: Contract, name: str) -> dict[str, Column]:
    """The number that each such rule needs, by its place: as text, which keeps every digit. None that may not be shown."""
    from pyspark.sql import functions as F

    types = _types(contract, name)
    return {
        f"{NUMBER} {place}": getattr(F, DECIDED_BY[rule.expectation])(F.col(f"`{rule.column}`")).cast("string")
        for place, rule in enumerate(suite.rules_of(contract, name))
        if rule.expectation in DECIDED_BY
        and base_type(types.get(str(rule.column), "")) in NUMERIC
        and shown(contract, name, str(rule.column)) is Shown.ALL
    }


def _types(contract: Contract, name: str) -> dict[str, str]:
    """The columns to count: of raw, those that come from the source, because the others are made after the count."""
    types = dict(suite.table_of(contract, name).columns)
    return {column.name: types[column.name] for column in contract.columns} if name == "raw" else types


def found(values: Mapping[str, Any], of: str) -> dict[str, Any]:
    """What is of one kind, by column or by the place of the rule."""
    return {what.partition(" ")[2]: value for what, value in values.items() if what.partition(" ")[0] == of}


def _broken(rule: Rule, types: Mapping[str, str]) -> Column | None:
    """Whether a row breaks the rule; a null never does. None for a rule that is not counted here."""
    from pyspark.sql import functions as F

    given = rule.arguments
    column = str(given.get("column"))
    if column not in types or not given.keys() <= TAKEN.get(rule.expectation, set()):
        return None
    values, type_ = F.col(f"`{column}`"), base_type(types[column])
    match rule.expectation:
        case "ExpectColumnValuesToBeBetween" if type_ in NUMERIC:
            return _outside(values, given)
        case "ExpectColumnValuesToBeInSet" if _of_type(given.get("value_set"), type_):
            return ~values.isin(list(given["value_set"]))
        case "ExpectColumnValuesToMatchRegex" if type_ == "string" and isinstance(given.get("regex"), str):
            return ~values.rlike(given["regex"])
    return None


def _outside(values: Column, given: Mapping[str, Any]) -> Column | None:
    low, high = given.get("min_value"), given.get("max_value")
    bounds = [bound for bound in (low, high) if bound is not None]
    if not bounds or any(type(bound) not in (int, float) for bound in bounds) or bounds != sorted(bounds):
        return None
    below = [] if low is None else [values <= low if given.get("strict_min") else values < low]
    above = [] if high is None else [values >= high if given.get("strict_max") else values > high]
    outside: Column = reduce(or_, below + above)
    return outside


def _of_type(listed: Sequence[Any] | None, type_: str) -> bool:
    types = {"string": str, "int": int, "long": int}
    return bool(listed) and all(type(value) is types.get(type_) for value in listed or ())
