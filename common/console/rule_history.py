"""The results of the gate over the last days: every rule by day, drift, freshness, and the usual volume."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Any

from common.console.grid import Facts, result_facts
from common.contracts.contract import TABLES
from common.lake.storage.files import read_bytes
from common.orchestration import run_log

# Worst first, each with its letter in the page's data.
STATES = {"failed": "f", "unable": "u", "warned": "w", "passed": "p", "none": "n"}
MEASURED = ("drift", "concept", "freshness", "volume")


@dataclass
class RuleHistory:
    """The results of one rule by day."""

    table: str
    column: str
    kind: str
    results: dict[str, Facts] = field(default_factory=dict)

    @property
    def latest(self) -> Facts:
        return self.results[max(self.results)]

    def facts(self, window: Sequence[str]) -> Facts:
        states = [_state(self.results[ds]) if ds in self.results else "none" for ds in window]
        bad = {ds: result_facts(self.results[ds]) for ds, state in zip(window, states, strict=True) if state in _BAD}
        return {
            "table": self.table,
            "kind": self.kind,
            "column": self.column,
            "expectation": result_facts(self.latest)["expectation"],
            "severity": self.latest["severity"],
            "states": "".join(STATES[state] for state in states),
            **({"bad": bad} if bad else {}),
            **(self._measures(window) if self.kind in MEASURED else {}),
        }

    def _measures(self, window: Sequence[str]) -> Facts:
        found = [self.results.get(ds, {}) for ds in window]
        return {name: [_numbers(result.get(name)) for result in found] for name in ("observed", "limit")}


_BAD = ("failed", "unable", "warned")


def histories(lake: str, dataset: str, window: Sequence[str]) -> list[RuleHistory]:
    """Every rule that was checked in these days, in the order of the tables and their rules."""
    found: dict[tuple[str, ...], RuleHistory] = {}
    for table, ds in product(TABLES, window):
        for result in _results(run_log.results_place(lake, dataset, table, ds)):
            # Arguments tell rules on rows apart. Elsewhere they are limits, which may change from day to day.
            name, kind, column = result["expectation"], result["kind"], result.get("column") or ""
            key = (table, name if kind == "rows" else re.sub(r"\(.*\)", "", name), column)
            found.setdefault(key, RuleHistory(table, column, kind)).results[ds] = result
    return [*found.values()]


def rule_facts(lake: str, dataset: str, window: Sequence[str]) -> list[Facts]:
    return [history.facts(window) for history in histories(lake, dataset, window)]


def _results(path: str) -> Iterator[Facts]:
    """The stored results; none where a day was not validated."""
    try:
        content = json.loads(read_bytes(path))
    except (FileNotFoundError, ValueError):
        return
    yield from ({"kind": "rows", "severity": "error", **result} for result in content.get("results", []))


def _state(result: Facts) -> str:
    if result.get("problem"):
        return "unable"
    return "passed" if result["success"] else "warned" if result["severity"] == "warn" else "failed"


def _numbers(value: Any) -> Any:
    """A finite number, or the least and the most; None for words such as those of a limit that is not known yet."""
    if isinstance(value, list):
        return [_numbers(item) for item in value]
    plain = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return value if plain else None
