"""Refused records by reason: how many on which days, and the newest examples, masked where they are sensitive."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice

from common.console.grid import Facts
from common.contracts import layout
from common.contracts.contract import Contract
from common.days import from_text
from common.lake import small_tables
from common.printable import printable
from common.quality import refused_records
from common.reports.quarantine import by_reason

# So many days, and records of each, are looked at for examples; the counts are of all.
EXAMPLE_DAYS = 5
EXAMPLE_RECORDS = 200


def refusal_facts(lake: str, contract: Contract, days: Sequence[str], window: Sequence[str]) -> list[Facts]:
    """The most frequent reason first; the counts by day are those of the window."""
    path = f"{lake}/{layout.quarantine(contract).path}"
    counts = refused_records.counted(path, {"ds": [from_text(ds) for ds in days]})
    newest = {reason: max(by_day) for reason, by_day in counts.items()}
    examples = _examples(path, contract, sorted({*newest.values()})[-EXAMPLE_DAYS:])
    facts = [
        {
            "reason": printable(reason),
            "records": by_day.total(),
            "from": min(by_day),
            "to": newest[reason],
            "days": [by_day[ds] for ds in window],
            "examples": examples.get(reason, []),
        }
        for reason, by_day in counts.items()
    ]
    return sorted(facts, key=lambda each: (-each["records"], each["reason"]))


def _examples(path: str, contract: Contract, days: Sequence[str]) -> dict[str, list[str]]:
    rows = (row for ds in days for row in islice(small_tables.each_row(path, {"ds": [from_text(ds)]}), EXAMPLE_RECORDS))
    return {refusal.reason: [example.words for example in refusal.examples] for refusal in by_reason(rows, contract)}
