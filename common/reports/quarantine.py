"""What is in quarantine, without Spark: `python -m common.reports.quarantine --dataset NAME [--ds DAY]`."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.table import Table as Shown

from common.contracts import datasets, layout
from common.contracts.contract import Contract
from common.contracts.layout import FILE_REFUSED
from common.days import parse_days
from common.errors import exit_on_error
from common.lake import delta_log, small_tables
from common.quality import masking
from common.runtime.settings import load_settings

EXAMPLES = 3
LONGEST = 160


def by_reason(rows: Sequence[dict[str, Any]], contract: Contract) -> list[tuple[str, str, int, list[str]]]:
    """Day, reason, how many records it is told of, and a few of them; a record with two reasons is told of twice."""
    counts: Counter[tuple[str, str]] = Counter()
    examples: dict[tuple[str, str], list[str]] = {}
    for row in rows:
        # What is said of a file that was refused whole is our own words.
        record = row["record"] or ""
        shown = record if FILE_REFUSED in row["reasons"] else masking.mask_record(contract, record)
        for reason in row["reasons"]:
            key = (str(row["ds"]), reason)
            counts[key] += row["copies"]
            examples.setdefault(key, []).append(f"{row['file'] or ''} {shown}".strip())
    return [
        (ds, reason, count, sorted(examples[ds, reason])[:EXAMPLES])
        for (ds, reason), count in sorted(counts.items(), key=lambda each: (each[0][0], -each[1], each[0][1]))
    ]


def show_refused(dataset: str, ds: str | None, lake: str) -> None:
    contract = datasets.load(dataset).contract
    path = f"{lake}/{layout.quarantine(contract).path}"
    days = parse_days(ds) if ds else sorted({_day(file.partition["ds"]) for file in delta_log.files(path)})
    rows = small_tables.read_slice(path, {"ds": days}).to_pylist()
    console = Console()
    if not rows:
        console.print(f"Nothing of {dataset}{f' {ds}' if ds else ''} is in quarantine.")
        return
    shown = Shown(
        "ds", "reason", "records", "for example", title=f"quarantine/{dataset}", title_justify="left", box=None
    )
    for day, reason, count, some in by_reason(rows, contract):
        shown.add_row(day, reason, f"{count:,}", "\n".join(each[:LONGEST] for each in some))
    console.print(shown, markup=False)
    console.print("Mend the landing files or the contract, and run the day again: what is fixed leaves quarantine.")


def _day(text: str) -> Any:
    return parse_days(text)[0]


@exit_on_error()
def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--dataset", required=True)
    arguments.add_argument("--ds", help="a day or a range; else every day")
    given = arguments.parse_args()
    show_refused(given.dataset, given.ds, load_settings("local").lake)


if __name__ == "__main__":
    main()
