"""How much of a column's values a profile may hold."""

from __future__ import annotations

from enum import Enum

from common.contracts.contract import Contract
from common.contracts.sensitive import sensitive_names


class Shown(Enum):
    """Besides counts."""

    ALL = "all"
    NEWEST = "newest"  # the largest value only: freshness needs the newest event time, even of a sensitive column
    COUNTS = "counts"


def may_show(contract: Contract, name: str, column: str) -> bool:
    """Whether the column's values may be stored: neither sensitive values nor keys, of which none is typical."""
    personal = sensitive_names(contract, name)
    return column not in {*personal, *contract.key, contract.features.entity, "record_hash"}


def shown(contract: Contract, name: str, column: str) -> Shown:
    if may_show(contract, name, column):
        return Shown.ALL
    return Shown.NEWEST if (name, column) == ("processed", contract.event_time) else Shown.COUNTS
