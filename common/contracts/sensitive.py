"""Which columns of a table hold personal values: the declared ones, and features made of them."""

from __future__ import annotations

from common.contracts.aggregates import Aggregate, FeatureRatio
from common.contracts.contract import Contract


def sensitive_names(contract: Contract, table: str) -> frozenset[str]:
    """The columns of a table (raw, processed, features) whose values are personal.

    A feature that is made of a sensitive column may give it away: a mean of one event is that event's value.
    """
    columns = (*contract.columns, *contract.derived)
    sensitive = frozenset(column.name for column in (*columns, *contract.features.measures) if column.sensitive)
    if table != "features":
        return sensitive
    made = {each.name for each in contract.features.columns if _made_of(contract, each.rule) & sensitive}
    return frozenset(made | ({contract.features.entity} & sensitive))


def _made_of(contract: Contract, rule: Aggregate) -> set[str]:
    if not isinstance(rule, FeatureRatio):
        return set(rule.reads)
    parts = {rule.numerator, rule.divisor}
    return parts.union(*(each.rule.reads for each in contract.features.columns if each.name in parts))
