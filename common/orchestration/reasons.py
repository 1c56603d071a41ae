"""Why a day is not up to date."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from common.lake.log.delta_log import Commit


class Kind(StrEnum):
    NEVER_RAN = "never_ran"
    CODE_CHANGED = "code_changed"
    SOURCE_CHANGED = "source_changed"  # what has landed, not a table
    ADMISSION_CHANGED = "admission_changed"  # the gate has passed, or refused, arrivals that the day reads
    ROWS_CHANGED = "rows_changed"  # of a table that the day is made from
    OUTPUT_CHANGED = "output_changed"  # rows that the day's own run had written
    TABLE_REPLACED = "table_replaced"  # moved away or created again, or its log no longer says what happened
    GATE_FAILED = "gate_failed"  # the validation itself had stopped the day


@dataclass(frozen=True)
class Reason:
    kind: Kind
    table: str = ""
    commit: Commit | None = None
    days: tuple[date, ...] = ()
    rules: tuple[str, ...] = ()
