"""List the records in quarantine by reason, without Spark: `python -m common.reports.quarantine --dataset NAME`."""

from __future__ import annotations

import dataclasses
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from rich.console import Console

from common.contracts import datasets, layout
from common.contracts.contract import Contract
from common.contracts.layout import FILE_REFUSED
from common.contracts.sensitive import MASK
from common.days import begun_days, from_text, kind_of, latest_day
from common.errors import exit_on_error
from common.lake import small_tables
from common.lake.log import data_files
from common.printable import printable
from common.quality import masking
from common.reports.landing_lines import find_lines
from common.runtime.command_line import CommandLine
from common.runtime.settings import load_settings

EXAMPLES = 3
LONGEST = 160
# A source that writes files by its local day lands the last hours of a day too early.
AFTER_DS = "land a row under the day, in UTC, of its event time"


@dataclass(frozen=True, order=True)
class RefusedRecord:
    """One record that was refused for a reason, and the field that the reason is about, if it is about one."""

    ds: str
    file: str
    field: str
    value: str
    record: str = dataclasses.field(default="", repr=False)  # as it was sent, with what may be sensitive
    line: int | None = dataclasses.field(default=None, compare=False)

    @property
    def words(self) -> str:
        what = f"{self.field} = {self.value}" if self.field else self.value
        where = f"{self.file}:{self.line}" if self.line else self.file
        return "  ".join(map(printable, filter(None, [self.ds, where, what])))[:LONGEST]


@dataclass(frozen=True)
class Refusal:
    reason: str
    days: dict[str, int]
    examples: list[RefusedRecord]

    @property
    def records(self) -> int:
        return sum(self.days.values())

    @property
    def words(self) -> str:
        first, last = min(self.days), max(self.days)
        days = first if first == last else f"{len(self.days)} days, {first}..{last}"
        counted = f"{self.reason}  {self.records:,} record{'s' * (self.records != 1)}, {days}"
        return f"{counted}  ({AFTER_DS})" if self.reason.endswith(":after_ds") else counted


def by_reason(rows: Iterable[dict[str, Any]], contract: Contract, unmasked: bool = False) -> list[Refusal]:
    """Return the reasons, most frequent first; a record with two reasons counts for both."""
    days: dict[str, Counter[str]] = defaultdict(Counter)
    examples: dict[str, list[RefusedRecord]] = defaultdict(list)
    for row in rows:
        for reason in row["reasons"]:
            days[reason][str(row["ds"])] += row["copies"]
            first = examples[reason]
            # Most records come behind those that are kept: don't take them apart.
            if len(first) < EXAMPLES or _place(row) <= (first[-1].ds, first[-1].file):
                found = refused_record(row, reason, contract, unmasked)
                examples[reason] = sorted({*first, found})[:EXAMPLES]
    refusals = [Refusal(reason, dict(days[reason]), examples[reason]) for reason in days]
    return sorted(refusals, key=lambda refusal: (-refusal.records, refusal.reason))


def refused_record(row: dict[str, Any], reason: str, contract: Contract, unmasked: bool) -> RefusedRecord:
    field, value = _offending(row["record"] or "", reason, contract, unmasked)
    day = _utc_day(value.strip("'"), contract.zone) if reason.endswith(":after_ds") else None
    advised = f"{value}, land it under {day}" if day and day <= latest_day(every=kind_of(day)) else value
    return RefusedRecord(*_place(row), field, advised, row["record"] or "")


def _place(row: dict[str, Any]) -> tuple[str, str]:
    return str(row["ds"]), row["file"] or ""


def _utc_day(text: str, zone: str) -> date | None:
    """The day of an ISO 8601 time in UTC; a time without a zone is in the contract's."""
    try:
        time = datetime.fromisoformat(text)
        return (time if time.tzinfo else time.replace(tzinfo=ZoneInfo(zone))).astimezone(UTC).date()
    except (ValueError, OverflowError):
        return None


def with_lines(refusals: Sequence[Refusal], landing: str, contract: Contract) -> list[Refusal]:
    """Add the lines of the examples, as far as their files still lie in landing."""
    files: dict[tuple[str, str], set[str]] = defaultdict(set)
    for example in (example for refusal in refusals for example in refusal.examples):
        files[example.ds, example.file].add(example.record)
    lines = {place: find_lines(landing, contract, *place, records) for place, records in files.items()}
    return [
        replace(
            refusal,
            examples=[
                replace(example, line=lines[example.ds, example.file].get(example.record))
                for example in refusal.examples
            ],
        )
        for refusal in refusals
    ]


def _offending(record: str, reason: str, contract: Contract, unmasked: bool) -> tuple[str, str]:
    """Return the field and its value; the whole record where the reason is about no single field."""
    # The record of a refused file is our own message, which was masked when the file was refused.
    shown = record if unmasked or reason == FILE_REFUSED else masking.mask_record(contract, record)
    field, colon, _ = reason.partition(":")
    try:
        fields = json.loads(shown) if colon else None
    except ValueError:
        fields = None
    if isinstance(fields, dict) and field in fields:
        value = fields[field]
        return field, "nothing" if value is None else value if value == MASK else repr(value)
    return "", shown


def show_refused(dataset: str, ds: str | None, lake: str, landing: str, unmasked: bool = False) -> None:
    contract = datasets.load(dataset).contract
    path = f"{lake}/{layout.quarantine(contract).path}"
    days = (
        begun_days(ds, every=contract.every)
        if ds
        else [from_text(day) for day in data_files.partition_values(path, "ds")]
    )
    refusals = by_reason(small_tables.each_row(path, {"ds": days}), contract, unmasked)
    console = Console(highlight=False, soft_wrap=True, emoji=False)
    if not refusals:
        console.print(f"Nothing of {dataset}{f' {ds}' if ds else ''} is in quarantine.")
        return
    for refusal in with_lines(refusals, landing, contract):
        console.print(refusal.words, style="bold", markup=False)
        for example in refusal.examples:
            console.print(f"  {example.words}", markup=False)
        more = refusal.records - len(refusal.examples)
        console.print(f"  and {more:,} more\n" if more else "")
    console.print("Fix the source or the contract, then run the day again; accepted records leave quarantine.")


@exit_on_error()
def main() -> None:
    parser = CommandLine(prog="python -m common.reports.quarantine", description=__doc__)
    parser.with_help("make quarantine DATASET=NAME", "make quarantine DATASET=NAME DS=2026-01-05 UNMASKED=1")
    parser.add_argument("--dataset", required=True, help="the dataset: a folder name in jobs/datasets")
    parser.add_argument("--ds", help="a day or a range A..B (default: every day)")
    parser.add_argument("--unmasked", action="store_true", help="show sensitive values too, to who may see them")
    arguments = parser.parse_args()
    settings = load_settings("local")
    show_refused(arguments.dataset, arguments.ds, settings.lake, settings.landing, arguments.unmasked)


if __name__ == "__main__":
    main()
