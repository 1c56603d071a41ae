"""Change envelopes to the row that they are about: its fields, the change's position, and whether it deletes the row."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

from common.contracts.changes import DELETED, POSITION, changes_of
from common.contracts.contract import Contract

# Kafka's marker behind a delete, for its own compaction: it says nothing that the delete has not said.
TOMBSTONE = "tombstone"
# A created, updated or read (in a snapshot) row is in `after`; of a deleted one, `before` has at least the key.
ROW_IS_IN = {"c": "after", "u": "after", "r": "after", "d": "before"}
WHOLE_NUMBER = re.compile(r"\d{1,19}", re.ASCII)
# In place of a large value that an update has left as it was.
UNAVAILABLE = "__debezium_unavailable_value"

Pairs = Sequence[tuple[str, Any]]


@dataclass(frozen=True)
class ChangedRow:
    row: Pairs
    position: str
    deletes: bool

    def fields(self, named: dict[str, Any], key: Sequence[str]) -> dict[str, Any]:
        """The fields of the record. Of a deleted row only the key: what else an envelope has of it depends on the database."""
        row = {name: named[name] for name in key if name in named} if self.deletes else named
        return {**row, POSITION: self.position, DELETED: self.deletes}


@dataclass(frozen=True)
class Envelopes:
    """How a contract's records hold changes."""

    position: str
    key: Sequence[str]

    @classmethod
    def of(cls, contract: Contract) -> Self | None:
        changes = changes_of(contract)
        return cls(changes.position, contract.key) if changes else None

    def unwrap(self, value: Any) -> tuple[str, ChangedRow | None]:
        """The problem, or the change, of a decoded record. Objects are lists of their pairs."""
        envelope = _payload(value)
        if envelope is None:
            return TOMBSTONE, None
        if not _is_object(envelope):
            return "not_an_envelope", None
        fields = dict(envelope)
        if len(fields) != len(envelope):
            return "name_twice", None
        return self._change(fields) if "op" in fields else ("not_an_envelope", None)

    def _change(self, fields: dict[str, Any]) -> tuple[str, ChangedRow | None]:
        operation = fields["op"]
        part = ROW_IS_IN.get(operation) if isinstance(operation, str) else None
        if part is None:
            return "unknown_op", None
        row, source = fields.get(part), fields.get("source")
        if not _is_object(row) or not row:
            return f"no_{part}", None
        position = str(dict(source).get(self.position)) if source is not None and _is_object(source) else ""
        if not WHOLE_NUMBER.fullmatch(position):
            return "no_position", None
        if operation != "d" and any(each == UNAVAILABLE for _, each in row):
            return "unavailable_value", None
        return "", ChangedRow(row, position, operation == "d")


def _payload(value: Any) -> Any:
    """The envelope, also out of the wrapper that has its schema beside it."""
    names = [name for name, _ in value] if _is_object(value) else []
    return dict(value)["payload"] if "payload" in names and "op" not in names else value


def _is_object(value: Any) -> bool:
    """Whether it is a list of pairs, as objects are read; a list of lists is not."""
    return isinstance(value, list) and all(isinstance(each, tuple) for each in value)
