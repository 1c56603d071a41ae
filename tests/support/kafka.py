"""A client of a Kafka broker that tests start."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from conf.kafka.broker import NoBrokerError, kafka


@dataclass
class Broker:
    """A client of a broker, in the JVM of the tests' Spark session."""

    spark: Any
    address: str
    login_address: str
    _clients: dict[str, Any] = field(default_factory=dict)

    @property
    def _jvm(self) -> Any:
        return self.spark._jvm

    @property
    def _kafka(self) -> Any:
        return self._jvm.org.apache.kafka

    def _properties(self, **more: str) -> Any:
        properties = self._jvm.java.util.Properties()
        for name, value in {"bootstrap_servers": self.address, **more}.items():
            properties.setProperty(name.replace("_", "."), value)
        return properties

    @property
    def admin(self) -> Any:
        if "admin" not in self._clients:
            self._clients["admin"] = self._kafka.clients.admin.Admin.create(self._properties())
        return self._clients["admin"]

    def producer(self, name: str = "plain", **more: str) -> Any:
        if name not in self._clients:
            serializer = "org.apache.kafka.common.serialization.ByteArraySerializer"
            both = {"key_serializer": serializer, "value_serializer": serializer}
            made = self._kafka.clients.producer.KafkaProducer(self._properties(**both, **more))
            self._clients[name] = made
        return self._clients[name]

    def topic(self, name: str, partitions: int = 1, **config: str) -> None:
        """A new topic of that name, without messages."""
        if name in self.admin.listTopics().names().get():
            self.admin.deleteTopics(self._list(name)).all().get()
        new = self._kafka.clients.admin.NewTopic(name, partitions, self._jvm.Short("1"))
        settings = self._jvm.java.util.HashMap()
        for key, value in config.items():
            settings.put(key.replace("_", "."), value)
        while True:
            try:
                self.admin.createTopics(self._list(new.configs(settings))).all().get()
            except Exception as error:  # an old one of that name is still on its way out
                if "TopicExists" not in str(error):
                    raise
                time.sleep(0.05)
            else:
                return

    def send(
        self,
        topic: str,
        value: bytes | str | None,
        at: str,
        partition: int = 0,
        key: str | bytes | None = None,
        headers: tuple[tuple[str, str], ...] = (),
        producer: Any = None,
    ) -> None:
        """One message with the time `at`, such as 2026-01-05T10:00:00Z."""
        moment = self._jvm.java.time.Instant.parse(at).toEpochMilli()
        named = self._jvm.java.util.ArrayList()
        for name, text in headers:
            named.add(self._kafka.common.header.internals.RecordHeader(name, text.encode()))
        record = self._kafka.clients.producer.ProducerRecord(
            topic, partition, self._jvm.java.lang.Long.valueOf(str(moment)), _bytes(key), _bytes(value), named
        )
        (producer or self.producer()).send(record).get()

    def grow(self, topic: str, partitions: int) -> None:
        more = self._jvm.java.util.HashMap()
        more.put(topic, self._kafka.clients.admin.NewPartitions.increaseTo(partitions))
        self.admin.createPartitions(more).all().get()
        while (
            self.admin.describeTopics(self._list(topic)).allTopicNames().get()[topic].partitions().size() < partitions
        ):
            time.sleep(0.05)

    def remove_before(self, topic: str, offset: int, partition: int = 0) -> None:
        gone = self._jvm.java.util.HashMap()
        # By reflection: there is a method of that name without an argument, and py4j finds only that one.
        methods = self._jvm.java.lang.Class.forName("org.apache.kafka.clients.admin.RecordsToDelete").getMethods()
        [before] = [each for each in methods if each.getName() == "beforeOffset" and each.getParameterCount()]
        arguments = self.spark.sparkContext._gateway.new_array(self._jvm.java.lang.Object, 1)
        arguments[0] = offset
        gone.put(self._kafka.common.TopicPartition(topic, partition), before.invoke(None, arguments))
        self.admin.deleteRecords(gone).all().get()

    def await_end(self, topic: str, offset: int) -> None:
        """Wait until a producer's commit has reached the partition: it does so by itself."""
        admin, common = self._kafka.clients.admin, self._kafka.common
        partition, wanted = common.TopicPartition(topic, 0), self._jvm.java.util.HashMap()
        wanted.put(partition, admin.OffsetSpec.latest())
        committed = admin.ListOffsetsOptions(common.IsolationLevel.READ_COMMITTED)
        while self.admin.listOffsets(wanted, committed).all().get()[partition].offset() < offset:
            time.sleep(0.05)

    def _list(self, value: Any) -> Any:
        made = self._jvm.java.util.ArrayList()
        made.add(value)
        return made

    def close(self) -> None:
        for client in self._clients.values():
            client.close()


def _bytes(text: str | bytes | None) -> bytes | None:
    return text.encode() if isinstance(text, str) else text


@contextmanager
def broker(spark: Any, certificate: Path | None = None) -> Iterator[Broker]:
    """Skips the test where the server is not installed."""
    try:
        with kafka(certificate) as (plain, login):
            client = Broker(spark, plain, login)
            try:
                yield client
            finally:
                client.close()
    except NoBrokerError as error:
        pytest.skip(str(error))
