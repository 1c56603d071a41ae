"""The columns that hold personal data: the declared ones, and features computed from them."""

from __future__ import annotations

from collections.abc import Sequence

from common.contracts.aggregates import Aggregate, FeatureRatio
from common.contracts.contract import Contract

MASK = "(masked)"


def sensitive_names(contract: Contract, table: str) -> frozenset[str]:
    """Return the sensitive columns of a table (raw, processed or features).

    A feature of a sensitive column is sensitive: the mean of a single event is that event's value.
    """
    columns = (*contract.columns, *contract.derived)
    sensitive = frozenset(column.name for column in (*columns, *contract.features.measures) if column.sensitive)
    if table != "features":
        return sensitive
    exposing = {feature.name for feature in contract.features.columns if _inputs(contract, feature.rule) & sensitive}
    return frozenset(exposing | ({contract.features.entity} & sensitive))


def shown_names(contract: Contract, names: Sequence[str]) -> list[str]:
    """The names in a file's header as they may be shown: in a file without a header, a record stands there."""
    if not sensitive_names(contract, "raw"):
        return list(names)
    declared = {column.name for column in contract.columns}
    return [name if name.strip().lower() in declared else MASK for name in names]


def _inputs(contract: Contract, rule: Aggregate) -> set[str]:
    if not isinstance(rule, FeatureRatio):
        return set(rule.reads)
    parts = {rule.numerator, rule.divisor}
    return parts.union(*(feature.rule.reads for feature in contract.features.columns if feature.name in parts))
