"""Messages of a topic, by Spark's own connector."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from common.sources.kafka.client import KafkaAddress
from common.sources.kafka.messages import PARTITION
from common.sources.kafka.ranges import OffsetRange


def messages_of(
    spark: SparkSession, address: KafkaAddress, topic: str, ranges: Mapping[int, OffsetRange], has_headers: bool
) -> DataFrame:
    """Exactly those offsets, or an error. Of a topic with fewer partitions than tasks, each is read by several."""
    options = {
        **address.options,
        "assign": json.dumps({topic: [*ranges]}),
        "startingOffsets": json.dumps({topic: {str(number): each.start for number, each in ranges.items()}}),
        "endingOffsets": json.dumps({topic: {str(number): each.end for number, each in ranges.items()}}),
        "includeHeaders": str(has_headers).lower(),
        "failOnDataLoss": "true",
        "minPartitions": str(spark.conf.get("spark.sql.shuffle.partitions")),
        "kafkaConsumer.pollTimeoutMs": "30000",
    }
    return spark.read.format("kafka").options(**options).load()


def first_between(messages: DataFrame, moment: datetime, now: datetime) -> dict[int, int]:
    """By partition, the first offset whose time is between the two."""
    sent = messages.where((F.col("timestamp") >= F.lit(moment)) & (F.col("timestamp") <= F.lit(now)))
    return {row[PARTITION]: row["at"] for row in sent.groupBy(PARTITION).agg(F.min("offset").alias("at")).collect()}


def beside_columns(sent_as: str | None, offset_as: str | None, headers: Sequence[str]) -> dict[str, Column]:
    """The columns that messages bring besides value and key."""
    columns: dict[str, Column] = {}
    if sent_as:
        columns[sent_as] = F.date_format("timestamp", "yyyy-MM-dd HH:mm:ss.SSS'Z'")
    if offset_as:
        columns[offset_as] = F.concat_ws(":", PARTITION, "offset")
    for name in headers:
        # Of a header that comes twice the last one counts, as in Kafka's own clients.
        columns[name] = F.try_element_at(F.filter("headers", _named(name)), F.lit(-1))["value"]
    return columns


def _named(name: str) -> Callable[[Any], Any]:
    return lambda header: header["key"] == name
