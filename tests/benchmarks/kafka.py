"""A million messages of a topic into raw, beside Spark's reader alone: read, its JSON taken apart, written to a Delta table.

`python -m tests.benchmarks.kafka [--messages N]`. Needs the broker of `make setup-kafka`. Both sides run in one session, in
turn, after a small round that is not counted. Ours also counts, hashes, looks for duplicates and puts refused messages aside.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from common.contracts import datasets
from common.orchestration.job import run_day
from common.runtime.run import Run
from common.runtime.session import open_session
from common.runtime.settings import load_settings
from common.sources.kafka.topic import Kafka
from jobs.ingest import INGEST
from tests.support.kafka import Broker, broker

PARTITIONS = 4
ROUNDS = 3
FIELDS = ("transaction_id", "user_id", "age", "purchase_amount", "timestamp", "category", "payment_method")


def fill(spark: SparkSession, shop: Broker, topic: str, count: int) -> None:
    shop.topic(topic, PARTITIONS)
    number = F.col("id")
    rows = spark.range(0, count, 1, PARTITIONS).select(
        F.format_string("t%09d", number).alias("transaction_id"),
        (number % 50_000).alias("user_id"),
        (18 + number % 60).alias("age"),
        (number % 100_000 / 100).cast("decimal(12,2)").alias("purchase_amount"),
        F.date_format(F.timestamp_seconds(1_767_600_000 + number % 80_000), "yyyy-MM-dd'T'HH:mm:ss'Z'").alias(
            "timestamp"
        ),
        F.lit("food").alias("category"),
        F.lit("card").alias("payment_method"),
        (number % PARTITIONS).cast("int").alias("partition"),
    )
    messages = rows.select(F.to_json(F.struct(*FIELDS)).alias("value"), "partition")
    messages.write.format("kafka").option("kafka.bootstrap.servers", shop.address).option("topic", topic).save()


def plain(spark: SparkSession, shop: Broker, topic: str, folder: str) -> None:
    options = {"kafka.bootstrap.servers": shop.address, "subscribe": topic, "startingOffsets": "earliest"}
    messages = spark.read.format("kafka").options(**options).load()
    parsed = F.from_json(F.col("value").cast("string"), ", ".join(f"`{name}` string" for name in FIELDS))
    messages.select(parsed.alias("row")).select("row.*").write.format("delta").save(folder)


def ours(topic: str, lake: str, count: int) -> None:
    settings = load_settings("local", lake=lake)
    dataset = datasets.load("transactions")
    contract = replace(dataset.contract, source=Kafka(cluster="bench", topic=topic))
    share = {number: count // PARTITIONS for number in range(PARTITIONS)}
    # The messages are of now, and the day is not over: as a stream does, read up to the last of them.
    today = datetime.now(UTC).date()
    run = Run(
        "ingest", replace(dataset, contract=contract), today, settings, "bench", "bench", options={"until": share}
    )
    line = run_day(INGEST, run, quiet=True)
    assert line["counts"]["accepted"] == count, line


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--messages", type=int, default=1_000_000)
    count = arguments.parse_args().messages // PARTITIONS * PARTITIONS
    spark = open_session(load_settings("local"), "kafka")
    seconds: dict[str, list[float]] = {"plain": [], "ours": []}
    with broker(spark) as shop, tempfile.TemporaryDirectory() as folder:
        os.environ["BENCH_KAFKA"] = shop.address
        for topic, size in (("small", 1_000), ("large", count)):
            fill(spark, shop, topic, size)
            for number in range(ROUNDS if topic == "large" else 1):
                place = str(Path(folder) / f"{topic}-{number}")
                started = time.monotonic()
                plain(spark, shop, topic, f"{place}-plain")
                between = time.monotonic()
                ours(topic, f"{place}-lake", size)
                if topic == "large":
                    seconds["plain"].append(between - started)
                    seconds["ours"].append(time.monotonic() - between)
    middle = {name: median(each) for name, each in seconds.items()}
    print({name: [round(one, 1) for one in each] for name, each in seconds.items()})
    print(
        f"{count:,} messages: {middle['ours']:.1f} s, plain {middle['plain']:.1f} s, ratio {middle['ours'] / middle['plain']:.2f}"
    )


if __name__ == "__main__":
    main()
