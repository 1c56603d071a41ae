"""Writes generated rows as landing files, in all the formats that ingest reads."""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Callable, Iterator, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import TextIO

import pyarrow as pa
import pyarrow.parquet as pq

from common.days import parse_day
from common.errors import UsageError, exit_on_error
from common.names import did_you_mean, whole_number
from common.runtime.command_line import CommandLine

FIRST_DAY = "2026-01-01"
FORMATS = ("csv", "csv.gz", "jsonl", "parquet")
Row = Sequence[str | None]
# From (ds, number of rows, seed, with errors) to the rows of that day, and lines of text that are not records.
Generator = Callable[[date, int, int, bool], tuple[Iterator[Row], list[str]]]


@exit_on_error()
def main(name: str, columns: Sequence[str], generate: Generator, argv: list[str] | None = None) -> None:
    program = f"python -m jobs.datasets.{name}.sample"
    parser = CommandLine(prog=program, description=f"Write landing files of {name}, made up from a seed.")
    parser.with_help(f".venv/bin/{program} --days 16 --out data/landing")
    parser.add_argument("--days", type=whole_number, default=14, help="how many days (default: 14)")
    parser.add_argument("--rows", type=whole_number, default=2000, help="rows a day (default: 2000)")
    parser.add_argument("--out", type=Path, required=True, help="the landing folder")
    parser.add_argument(
        "--start", type=parse_day, default=parse_day(FIRST_DAY), help=f"first day (default: {FIRST_DAY})"
    )
    parser.add_argument("--seed", type=whole_number, default=1, help="another seed makes other rows (default: 1)")
    parser.add_argument("--clean", action="store_true", help="leave out the errors that the sample contains on purpose")
    parser.add_argument("--formats", default=",".join(FORMATS), help="of the files, separated by commas")
    options = parser.parse_args(argv)
    formats = options.formats.split(",")
    for unknown in [format_ for format_ in formats if format_ not in FORMATS]:
        known = ", ".join(FORMATS)
        raise UsageError(f"--formats {unknown!r} is unknown; expected some of: {known}{did_you_mean(unknown, FORMATS)}")
    for number in range(options.days):
        ds = options.start + timedelta(days=number)
        rows, broken = generate(ds, options.rows, options.seed, not options.clean)
        write_day(options.out / name / f"ds={ds}", columns, list(rows), broken, formats)


def write_day(folder: Path, columns: Sequence[str], rows: list[Row], broken: list[str], formats: Sequence[str]) -> None:
    """Writes one file for each format, with an equal share of the rows; lines that are not records go into the first."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, format_ in enumerate(formats):
        path = folder / f"part-{number}.{format_}"
        share = rows[number :: len(formats)]
        if format_ == "parquet":
            _write_parquet(path, columns, share)
        else:
            with _open(path) as file:
                _write_text(file, format_, columns, share, broken if number == 0 else [])


def _open(path: Path) -> TextIO:
    if path.suffix != ".gz":
        return path.open("w", newline="", encoding="utf-8")
    # Write neither a name nor a time into the header, so that the same rows give the same bytes.
    stream = gzip.GzipFile(filename="", mode="wb", fileobj=path.open("wb"), mtime=0)
    return io.TextIOWrapper(stream, newline="", encoding="utf-8")


def _write_text(file: TextIO, format_: str, columns: Sequence[str], rows: list[Row], broken: list[str]) -> None:
    if format_ == "jsonl":
        for row in rows:
            file.write(json.dumps(dict(zip(columns, row, strict=True))) + "\n")
        return
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    file.writelines(line + "\n" for line in broken)


def _write_parquet(path: Path, columns: Sequence[str], rows: list[Row]) -> None:
    values = zip(*rows, strict=True) if rows else [[] for _ in columns]
    arrays = [pa.array(column, pa.string()) for column in values]
    pq.write_table(pa.Table.from_arrays(arrays, names=list(columns)), path)
