"""Each source beside the plain way to read the same records, in one session and in turn, after a round that is not counted.

`python -m tests.benchmarks.sources files|kafka|jdbc|mongo|http [--records N] [--rounds N] [--latency MS]`. The plain way
is Spark's own reader, or a loop around the usual client, and ends in a Delta table. `read` is our source into such a table;
`ingest` is the whole job, which also counts, hashes, looks for duplicates and puts refused records aside.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path
from statistics import median

from pyspark.sql import SparkSession

from common.contracts import datasets
from common.orchestration.job import run_day
from common.runtime.run import Run
from common.runtime.session import open_session
from common.runtime.settings import load_settings
from common.sources.opening import open_source
from jobs.ingest import INGEST
from tests.benchmarks.filled_sources import PAGE, SOURCES, Compared, Filled, http

# More than a run writes without Spark, so that what writes many has run once, too.
WARM = 30_000
USUAL = {"files": 1_000_000, "kafka": 1_000_000, "jdbc": 1_000_000, "mongo": 200_000, "http": 10_000}


def run_of(compared: Compared, lake: str) -> Run:
    dataset = datasets.load("transactions")
    ours = replace(dataset, contract=replace(dataset.contract, source=compared.source))
    settings = load_settings("local", lake=lake, landing=compared.landing or None)
    return Run("ingest", ours, compared.ds, settings, "bench", "bench", options=dict(compared.options))


def read(compared: Compared, spark: SparkSession, folder: str) -> None:
    run = run_of(compared, f"{folder}-lake")
    with closing(open_source(run)) as source:
        listing = source.holds()
        source.read(spark, listing).write.format("delta").save(folder)


def ingest(compared: Compared, count: int, folder: str) -> None:
    line = run_day(INGEST, run_of(compared, folder), quiet=True)
    assert line["counts"]["accepted"] == count, line


def measured(filled: Filled, spark: SparkSession, count: int, rounds: int) -> dict[str, list[float]]:
    seconds: dict[str, list[float]] = {"plain": [], "read": [], "ingest": []}
    with filled(spark, count) as compared, tempfile.TemporaryDirectory() as folder:
        ways: dict[str, Callable[[str], object]] = {
            "plain": compared.plain,
            "read": lambda place: read(compared, spark, place),
            "ingest": lambda place: ingest(compared, count, place),
        }
        for number in range(rounds):
            for way, work in ways.items():
                started = time.monotonic()
                work(str(Path(folder) / f"{way}-{number}"))
                seconds[way].append(round(time.monotonic() - started, 2))
    return seconds


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("source", choices=SOURCES)
    arguments.add_argument("--records", type=int)
    arguments.add_argument("--rounds", type=int, default=1)
    arguments.add_argument("--latency", type=float, default=50, help="milliseconds that each page of the API takes")
    asked = arguments.parse_args()
    count = (asked.records or USUAL[asked.source]) // PAGE * PAGE
    os.environ["PYSPARK_PYTHON"] = sys.executable
    spark = open_session(load_settings("local"), "sources")
    filled = partial(http, latency=asked.latency / 1000) if asked.source == "http" else SOURCES[asked.source]
    measured(filled, spark, min(count, WARM), 1)
    seconds = measured(filled, spark, count, asked.rounds)
    middle = {way: median(each) for way, each in seconds.items()}
    ratios = ", ".join(f"{way} {middle[way] / middle['plain']:.2f}" for way in ("read", "ingest"))
    print(f"{asked.source}: {count:,} records, plain {middle['plain']:.1f} s; ratios: {ratios}; {seconds}")


if __name__ == "__main__":
    main()
