"""Opens the source that a contract declares, for one period."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from common.contracts import layout
from common.contracts.declared_source import Files
from common.sources.files.landing import Landing
from common.sources.source import Period, Source

if TYPE_CHECKING:
    from common.runtime.run import Run


def open_source(run: Run, said: Mapping[str, Any] | None = None) -> Source:
    """`said` is what the last ingest of the period said of its source, from a caller who knows."""
    raw = run.path(layout.raw(run.contract))
    until, batch = run.options.get("until"), run.options.get("batch", "")
    return open_period(Period(run.contract, run.ds, run.settings.landing, raw, lambda: run.spark, until, batch, said))


def open_period(period: Period) -> Source:
    """Files lie in the landing folder, which is a setting; every other declaration opens itself."""
    declared = period.contract.source
    if isinstance(declared, Files):
        return Landing(period.contract, period.landing, period.ds, period.taken)
    opened: Source = declared.open(period)
    return opened
