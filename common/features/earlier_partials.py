"""The partials of the version before: a new feature column often needs no other aggregates than that version has."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from common.contracts import layout
from common.contracts.contract import Contract
from common.contracts.layout import Table
from common.contracts.lookup import lookups_of
from common.lake.log import data_files, delta_log
from common.lake.log.commit_metadata import with_snapshot
from common.orchestration import staleness
from common.orchestration.changes import Logs
from common.orchestration.stages import PARTIALS
from common.runtime.run import Run


def table_before(contract: Contract) -> Table:
    """The same columns, where the version before keeps them, if it has them."""
    table = layout.partials(contract)
    return replace(table, path=f"{table.path.rpartition('/')[0]}/v{contract.features.version - 1}")


def lacking(run: Run) -> list[str] | None:
    """The aggregates that the version before does not have; None if there is no such version, or they can't be compared."""
    before = run.path(table_before(run.contract))
    # What a lookup finds depends on the contract of another dataset too.
    if run.contract.features.version == 1 or lookups_of(run.contract) or not delta_log.exists(before):
        return None
    stored = data_files.columns(before)
    return [name for name, type_ in layout.states(run.contract).items() if _as_declared(stored.get(name)) != type_]


def _as_declared(type_: Any) -> str:
    """A type of a Delta schema, as contracts write it."""
    match type_:
        case {"type": "struct", "fields": fields}:
            inner = ",".join(f"{field['name']}:{_as_declared(field['type'])}" for field in fields)
            return f"struct<{inner}>"
        case {"type": "array", "elementType": element}:
            return f"array<{_as_declared(element)}>"
        case _:
            return "int" if type_ == "integer" else str(type_)


def current_before(run: Run) -> Run | None:
    """The run, with the partials of the version before fixed, if they hold what this day's would."""
    if run.full_refresh or lacking(run) != []:
        return None
    reading = with_snapshot(run, [table_before(run.contract)])
    reading = replace(run, at={**run.at, **reading.at}, ids={**run.ids, **reading.ids})
    return reading if is_current_before(run, Logs(reading)) else None


def is_current_before(run: Run, logs: Logs) -> bool:
    """Whether the day's partials of the version before are those of the rows as they are now."""
    before = replace(PARTIALS, target=table_before, of_columns=False)
    return not any(staleness.reasons(before, run, logs.state(before, run.ds), logs))
