"""A topic as a stream: tells how far each micro-batch reaches. The records themselves are read by the ingest of their period."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from pyspark.errors import StreamingQueryException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from common.sources.kafka.client import KafkaTopic, kafka_address, unread
from common.sources.kafka.messages import PARTITION
from common.sources.kafka.topic import Kafka

# Gets the offset after the last one of each partition, and what identifies the micro-batch.
Take = Callable[[dict[int, int], str], object]


@dataclass(frozen=True)
class Following:
    """How a topic is followed."""

    since: datetime  # where the first start begins; later ones go on where the checkpoint says
    checkpoint: str
    most_records: int  # of one micro-batch
    seconds: float | None = None  # between two of them; None: as many as there are records for now, then the end


def follow(spark: SparkSession, source: Kafka, how: Following, take: Take) -> None:
    """Call `take` for each micro-batch. One that was not taken to its end is told again."""
    address = kafka_address(source.cluster)
    KafkaTopic(spark, address, source.topic).close()  # says at once what is wrong
    options = {
        **address.options,
        "subscribe": source.topic,
        "startingTimestamp": str(round(1000 * how.since.timestamp())),
        "startingOffsetsByTimestampStrategy": "latest",
        "maxOffsetsPerTrigger": str(how.most_records),
        "failOnDataLoss": "false",  # ingest tells what is gone, and goes on as declared
    }
    failures: list[Exception] = []

    def take_batch(messages: DataFrame, number: int) -> None:
        rows = messages.groupBy(PARTITION).agg((F.max("offset") + 1).alias("end")).collect()
        try:
            take({row[PARTITION]: row["end"] for row in rows}, str(number))
        except Exception as error:
            failures.append(error)
            raise

    messages = spark.readStream.format("kafka").options(**options).load().select(PARTITION, "offset")
    writer = messages.writeStream.foreachBatch(take_batch).option("checkpointLocation", how.checkpoint)
    timed = (
        writer.trigger(availableNow=True)
        if how.seconds is None
        else writer.trigger(processingTime=f"{how.seconds:g} seconds")
    )
    try:
        timed.start().awaitTermination()
    except StreamingQueryException as error:
        if failures:
            raise failures[-1] from None
        raise unread(source.topic, source.cluster, error) or error from None
