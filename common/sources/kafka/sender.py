"""Sends messages to a topic, through the client that Spark has; returns once the cluster has all of them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING

from common.runtime.session_kind import java
from common.sources.kafka.client import ANSWER_SECONDS, KafkaAddress, explained

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

SERIALIZER = "org.apache.kafka.common.serialization.StringSerializer"
OF_READERS = ("isolation.level", "default.api.timeout.ms")


def send_messages(
    spark: SparkSession, address: KafkaAddress, topic: str, messages: Iterable[tuple[str, str]], at: datetime
) -> None:
    """Each message is a key and a value; equal keys keep their order."""
    from py4j.protocol import Py4JJavaError

    jvm = java(spark)
    properties = jvm.java.util.Properties()
    for name, value in {**address.properties, **_of_senders()}.items():
        if name not in OF_READERS:
            properties.setProperty(name, value)
    stamp = jvm.java.lang.Long.valueOf(str(round(1000 * at.timestamp())))
    clients = jvm.org.apache.kafka.clients.producer
    try:
        producer = clients.KafkaProducer(properties)
        try:
            sent = [producer.send(clients.ProducerRecord(topic, None, stamp, *message)) for message in messages]
            for each in sent:
                each.get()
        finally:
            producer.close(jvm.java.time.Duration.ofSeconds(1))
    except Py4JJavaError as error:
        cause = error.java_exception.getCause() or error.java_exception
        raise explained(address, topic, cause.getClass().getSimpleName(), str(cause.getMessage())) from None


def _of_senders() -> dict[str, str]:
    milliseconds = str(1000 * ANSWER_SECONDS)
    return {
        "key.serializer": SERIALIZER,
        "value.serializer": SERIALIZER,
        "acks": "all",
        "enable.idempotence": "true",
        "linger.ms": "5",
        "max.block.ms": milliseconds,
        "delivery.timeout.ms": str(2000 * ANSWER_SECONDS),
    }
