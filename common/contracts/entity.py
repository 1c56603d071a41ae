"""What becomes of a row without an entity: a contract refuses such rows, or declares that no feature counts them."""

from __future__ import annotations

from dataclasses import replace

from common.contracts.column import Column
from common.errors import require

DROP, REFUSE = "drop", "refuse"


def columns_of(subject: str, choice: str | None, entity: Column, columns: tuple[Column, ...]) -> tuple[Column, ...]:
    """Return the columns of a record, with a required entity if rows without one are refused."""
    name = entity.name
    require(
        choice in (None, DROP, REFUSE),
        f"{subject}: null_entity {choice!r} is unknown; expected {DROP!r} (rows without {name!r} stay in processed and "
        f"count in no feature) or {REFUSE!r} (they go to quarantine)",
    )
    require(
        choice is not None or entity.required,
        f"{subject}: the entity {name!r} may be null. Declare its column with required=True, so that rows without it go "
        f"to quarantine, or null_entity={DROP!r}, so that they stay in processed and count in no feature",
    )
    require(
        choice != DROP or not entity.required,
        f"{subject}: the entity {name!r} is required, so null_entity={DROP!r} never applies; keep one of them",
    )
    require(
        choice != REFUSE or entity in columns,
        f"{subject}: the entity {name!r} is derived, and only a record's own columns can be refused; "
        f"declare null_entity={DROP!r}, or required=True if `derive` never returns null",
    )
    if choice != REFUSE:
        return columns
    return tuple(replace(column, required=True) if column is entity else column for column in columns)
