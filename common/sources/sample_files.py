"""Writes generated rows as landing files, in all the formats that ingest reads."""

from __future__ import annotations

import argparse
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
from common.errors import exit_on_error

FIRST_DAY = "2026-01-01"
FORMATS = ("csv", "csv.gz", "jsonl", "parquet")
Row = Sequence[str | None]
# (ds, rows, seed, dirt) to the rows of that day, and text lines that are no records at all.
Generator = Callable[[date, int, int, bool], tuple[Iterator[Row], list[str]]]


@exit_on_error()
def main(name: str, columns: Sequence[str], generate: Generator, argv: list[str] | None = None) -> None:
    arguments = argparse.ArgumentParser(
        prog=f"python -m jobs.datasets.{name}.sample", description=f"Landing data of {name}."
    )
    arguments.add_argument("--days", type=int, default=14)
    arguments.add_argument("--rows", type=int, default=2000, help="rows a day")
    arguments.add_argument("--out", type=Path, required=True, help="the landing folder")
    arguments.add_argument("--start", type=parse_day, default=parse_day(FIRST_DAY))
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument("--clean", action="store_true", help="without dirt")
    arguments.add_argument("--formats", default=",".join(FORMATS), help="of the files, separated by commas")
    given = arguments.parse_args(argv)
    formats = given.formats.split(",")
    for number in range(given.days):
        ds = given.start + timedelta(days=number)
        rows, broken = generate(ds, given.rows, given.seed, not given.clean)
        write_day(given.out / name / f"ds={ds}", columns, list(rows), broken, formats)


def write_day(folder: Path, columns: Sequence[str], rows: list[Row], broken: list[str], formats: Sequence[str]) -> None:
    """Deals the rows out to one file a format; lines that are no records go into the first."""
    folder.mkdir(parents=True, exist_ok=True)
    for place, format_ in enumerate(formats):
        path = folder / f"part-{place}.{format_}"
        mine = rows[place :: len(formats)]
        if format_ == "parquet":
            _write_parquet(path, columns, mine)
        else:
            with _open(path) as file:
                _write_text(file, format_, columns, mine, broken if place == 0 else [])


def _open(path: Path) -> TextIO:
    if path.suffix != ".gz":
        return path.open("w", newline="", encoding="utf-8")
    # Neither a name nor a time in the header: the same rows make the same bytes.
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
