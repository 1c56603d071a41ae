"""Compares the online rows with the published ones."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any

import pyarrow as pa

from common.online.row_codec import decode, newer
from common.online.store import EXAMPLES, Store


@dataclass(frozen=True)
class Difference:
    entity: Any
    what: str  # missing online, not offline, or differs
    columns: tuple[str, ...] = ()


@dataclass(frozen=True)
class Agreement:
    """The outcome of the comparison; `total` counts the entities that are online, offline or both."""

    total: int
    agreeing: int
    examples: tuple[Difference, ...]

    @property
    def share(self) -> float:
        return self.agreeing / self.total if self.total else 1.0


def compare_with_offline(store: Store, view: str, offline: Iterable[pa.RecordBatch]) -> Agreement:
    """Compare each online row with the latest offline row of its entity. Examples name columns, never values."""
    entity = store.facts(view)["entity"]
    newest: dict[str, date | None] = {}
    expected: dict[str, str] = {}
    for batch in offline:
        expected |= newer(entity, batch, newest)
    total, agreeing = 0, 0
    examples: list[Difference] = []
    for key, text in store.texts(view):
        total += 1
        offline_text = expected.pop(key, None)
        columns = () if offline_text in (None, text) else _differing(text, str(offline_text))
        if offline_text is not None and not columns:
            agreeing += 1
        elif len(examples) < EXAMPLES:
            examples.append(Difference(decode(key), "differs" if columns else "not offline", columns))
    examples += [Difference(decode(key), "missing online") for key in list(expected)[: EXAMPLES - len(examples)]]
    return Agreement(total + len(expected), agreeing, tuple(examples))


def _differing(one: str, other: str) -> tuple[str, ...]:
    """Name the columns that differ. Values are compared as text: NaN equals itself, and 1 differs from 1.0."""
    rows = [{name: json.dumps(value) for name, value in json.loads(text).items()} for text in (one, other)]
    return tuple(sorted(name for name in rows[0].keys() | rows[1].keys() if rows[0].get(name) != rows[1].get(name)))
