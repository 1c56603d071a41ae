"""List the records in quarantine, without Spark: `python -m common.reports.quarantine --dataset NAME [--ds DAY]`."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.table import Table as Grid
from rich.text import Text

from common.contracts import datasets, layout
from common.contracts.contract import Contract
from common.contracts.layout import FILE_REFUSED
from common.days import parse_day, parse_days
from common.errors import exit_on_error
from common.lake import delta_log, small_tables
from common.printable import printable
from common.quality import masking
from common.runtime.settings import load_settings

EXAMPLES = 3
LONGEST = 160


def by_reason(
    rows: Sequence[dict[str, Any]], contract: Contract, unmasked: bool = False
) -> list[tuple[str, str, int, list[str]]]:
    """Return day, reason, number of records and a few examples; a record with two reasons counts for both."""
    counts: Counter[tuple[str, str]] = Counter()
    examples: dict[tuple[str, str], list[str]] = {}
    for row in rows:
        # The record of a refused file is our own message, which was masked when the file was refused.
        record = row["record"] or ""
        shown = record if unmasked or FILE_REFUSED in row["reasons"] else masking.mask_record(contract, record)
        for reason in row["reasons"]:
            key = (str(row["ds"]), reason)
            counts[key] += row["copies"]
            examples.setdefault(key, []).append(f"{row['file'] or ''} {shown}".strip())
    return [
        (ds, reason, count, sorted(examples[ds, reason])[:EXAMPLES])
        for (ds, reason), count in sorted(counts.items(), key=lambda item: (item[0][0], -item[1], item[0][1]))
    ]


def show_refused(dataset: str, ds: str | None, lake: str, unmasked: bool = False) -> None:
    contract = datasets.load(dataset).contract
    path = f"{lake}/{layout.quarantine(contract).path}"
    days = parse_days(ds) if ds else sorted({parse_day(file.partition["ds"]) for file in delta_log.files(path)})
    rows = small_tables.read_slice(path, {"ds": days}).to_pylist()
    console = Console()
    if not rows:
        console.print(f"Nothing of {dataset}{f' {ds}' if ds else ''} is in quarantine.")
        return
    grid = Grid("ds", "reason", "records", "for example", title=f"quarantine/{dataset}", title_justify="left", box=None)
    for day, reason, count, examples in by_reason(rows, contract, unmasked):
        grid.add_row(day, reason, f"{count:,}", Text("\n".join(printable(example[:LONGEST]) for example in examples)))
    console.print(grid, markup=False)
    console.print("Fix the landing files or the contract, then run the day again; accepted records leave quarantine.")


@exit_on_error()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dataset", required=True)
    parser.add_argument("--ds", help="a day or a range A..B (default: every day)")
    parser.add_argument("--unmasked", action="store_true", help="show sensitive values too, to who may see them")
    arguments = parser.parse_args()
    show_refused(arguments.dataset, arguments.ds, load_settings("local").lake, arguments.unmasked)


if __name__ == "__main__":
    main()
