"""Sources that hold so many purchases of one day, each with the plain way to bring them into a Delta table."""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pyarrow as pa
from deltalake import write_deltalake
from pyspark.sql import Column, SparkSession
from pyspark.sql import functions as F

from common.contracts.declared_source import Files
from common.days import end_of, start_of
from common.sources.databases.jdbc import Jdbc
from common.sources.http.api import Http
from common.sources.kafka.topic import Kafka
from common.sources.mongo.collection import Mongo
from tests.support.http_server import serving
from tests.support.kafka import broker
from tests.support.mongo import mongo
from tests.support.servers import database

DAY = date(2026, 1, 5)
PARTS = 4
PAGE = 100
READY = 100_000
LARGE_PAGE = 1_000
# Seconds of a day in which the records come.
BUSY = 80_000
FIELDS: dict[str, Callable[[Column], Column]] = {
    "transaction_id": lambda number: F.format_string("t%09d", number),
    "user_id": lambda number: number % 50_000,
    "age": lambda number: 18 + number % 60,
    "purchase_amount": lambda number: (number % 100_000 / 100).cast("decimal(12,2)"),
    "timestamp": lambda number: F.timestamp_seconds(1_767_571_200 + number % BUSY),
    "category": lambda number: F.lit("food"),
    "payment_method": lambda number: F.lit("card"),
}


@dataclass(frozen=True)
class Compared:
    """Records in a server, and the plain way to bring them into a Delta table in a folder."""

    source: Any
    plain: Callable[[str], object]
    ds: date = DAY
    options: Mapping[str, Any] = field(default_factory=dict)
    landing: str = ""


Filled = Callable[[SparkSession, int], AbstractContextManager[Compared]]


def record(number: int) -> dict[str, Any]:
    second = number % BUSY
    at = f"2026-01-05T{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}Z"
    bought = {"transaction_id": f"t{number:09}", "user_id": number % 50_000, "age": 18 + number % 60}
    paid = {"purchase_amount": f"{number % 100_000 / 100:.2f}", "timestamp": at}
    return {**bought, **paid, "category": "food", "payment_method": "card"}


@contextmanager
def files(spark: SparkSession, count: int) -> Iterator[Compared]:
    with tempfile.TemporaryDirectory() as landing:
        folder = Path(landing) / "transactions" / f"ds={DAY}"
        folder.mkdir(parents=True)
        for part in range(PARTS):
            with (folder / f"part-{part}.csv").open("w") as file:
                file.write(",".join(FIELDS) + "\n")
                file.writelines(
                    ",".join(map(str, record(number).values())) + "\n" for number in range(part, count, PARTS)
                )

        def plain(place: str) -> None:
            spark.read.csv(str(folder), header=True).write.format("delta").save(place)

        yield Compared(Files(), plain, landing=landing)


@contextmanager
def kafka(spark: SparkSession, count: int) -> Iterator[Compared]:
    with broker(spark) as shop:
        os.environ["BENCH_KAFKA"] = shop.address
        topic = f"sales-{count}"
        shop.topic(topic, PARTS)
        number, form = F.col("id"), {"timestampFormat": "yyyy-MM-dd'T'HH:mm:ss'Z'"}
        columns = [make(number).alias(name) for name, make in FIELDS.items()]
        value = F.to_json(F.struct(*columns), form).alias("value")
        messages = spark.range(0, count, 1, PARTS).select(value, (number % PARTS).cast("int").alias("partition"))
        to = {"kafka.bootstrap.servers": shop.address, "topic": topic}
        messages.write.format("kafka").options(**to).save()
        whole = {"kafka.bootstrap.servers": shop.address, "subscribe": topic, "startingOffsets": "earliest"}

        def plain(folder: str) -> None:
            parsed = F.from_json(F.col("value").cast("string"), ", ".join(f"`{name}` string" for name in FIELDS))
            found = spark.read.format("kafka").options(**whole).load().select(parsed.alias("row")).select("row.*")
            found.write.format("delta").save(folder)

        # The messages are of now, and the day is not over: as a stream does, read up to the last of them.
        until = {part: count // PARTS for part in range(PARTS)}
        yield Compared(Kafka(cluster="bench", topic=topic), plain, datetime.now(UTC).date(), {"until": until})


@contextmanager
def jdbc(spark: SparkSession, count: int) -> Iterator[Compared]:
    with database("postgresql") as shop:
        os.environ["BENCH_DATABASE"] = shop.address
        shop.run(
            "CREATE TABLE sale (transaction_id text, user_id bigint, age int, purchase_amount numeric(12, 2), "
            "timestamp timestamptz, category text, payment_method text)"
        )
        shop.run(
            "INSERT INTO sale SELECT 't' || lpad(i::text, 9, '0'), i % 50000, 18 + i % 60, (i % 100000) / 100.0, "
            f"'2026-01-05Z'::timestamptz + (i % {BUSY}) * interval '1 second', 'food', 'card' "
            f"FROM generate_series(0, {count - 1}) i"
        )
        parts = urlsplit(shop.address)
        login = {"user": parts.username or "", "password": parts.password or "", "driver": "org.postgresql.Driver"}
        by = {"column": "user_id", "lowerBound": 0, "upperBound": 50_000, "numPartitions": PARTS}

        def plain(folder: str) -> None:
            url = f"jdbc:postgresql://{parts.hostname}:{parts.port}{parts.path}"
            rows = spark.read.jdbc(url, "sale", properties={**login, "fetchsize": "10000"}, **by)
            rows.write.format("delta").save(folder)

        yield Compared(
            Jdbc(database="bench", table="sale", watermark="timestamp", parallel=PARTS, parallel_by="user_id"), plain
        )


@contextmanager
def documents(spark: SparkSession, count: int) -> Iterator[Compared]:
    from pymongo import MongoClient

    with mongo() as address, MongoClient[dict[str, Any]](address, tz_aware=True) as client:
        os.environ["BENCH_DATABASE"] = f"{address}bench"
        for start in range(0, count, 10_000):
            rows = [record(number) for number in range(start, min(start + 10_000, count))]
            client.bench.sales.insert_many(
                [{**row, "timestamp": datetime.fromisoformat(row["timestamp"])} for row in rows]
            )

        def plain(folder: str) -> None:
            rows = client.bench.sales.find({"timestamp": {"$gte": start_of(DAY), "$lt": end_of(DAY)}})
            found = [{name: str(value) for name, value in row.items()} for row in rows]
            write_deltalake(folder, pa.Table.from_pylist(found))

        yield Compared(Mongo(database="bench", collection="sales", watermark="timestamp", parallel=PARTS), plain)


@contextmanager
def http(spark: SparkSession, count: int, latency: float = 0.0) -> Iterator[Compared]:
    """`latency` is how many seconds a page takes, as behind a network. Many records come in larger pages."""
    import requests

    size = PAGE if count <= READY else LARGE_PAGE

    def made(start: int) -> bytes:
        return json.dumps([record(number) for number in range(start, min(start + size, count))]).encode()

    # Made beforehand, unless they would take much memory.
    ready = {start: made(start) for start in range(0, count if count <= READY else 0, size)}

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            time.sleep(latency)
            start = size * (int(parse_qs(urlsplit(self.path).query)["page"][0]) - 1)
            body = (ready.get(start) or made(start)) if start < count else b"[]"
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    with serving(Handler) as port:
        base = f"http://127.0.0.1:{port}"

        def plain(folder: str) -> None:
            found, page = list[Any](), 1
            with requests.Session() as session:
                while answer := session.get(f"{base}/sales", params={"page": page}, timeout=30).json():
                    found.extend(answer)
                    page += 1
            write_deltalake(folder, pa.Table.from_pylist(found))

        most = 2 + count // size
        yield Compared(Http(base=base, path="/sales", rate=100_000.0, most_pages=most, most_megabytes=1_000), plain)


SOURCES: dict[str, Filled] = {"files": files, "kafka": kafka, "jdbc": jdbc, "mongo": documents, "http": http}
