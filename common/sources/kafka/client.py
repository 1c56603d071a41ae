"""A Kafka cluster that the environment names, and its metadata of a topic, read through the client that Spark ships."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote, urlsplit

from common.errors import PipelineError, SourceUnreachableError, UsageError
from common.runtime.jvm import Answer, ask_java, java_properties
from common.runtime.session_kind import java
from common.sources.credentials import from_environment

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

FORM = (
    "host:9092,host:9092, or kafka://user:password@host:9092,host:9092?security.protocol=SASL_SSL&sasl.mechanism=PLAIN"
)
# How long a cluster may be silent before it counts as unreachable.
ANSWER_SECONDS = 15
LOGIN_MODULES = {
    "PLAIN": "org.apache.kafka.common.security.plain.PlainLoginModule",
    "SCRAM-SHA-256": "org.apache.kafka.common.security.scram.ScramLoginModule",
    "SCRAM-SHA-512": "org.apache.kafka.common.security.scram.ScramLoginModule",
}
ENCRYPTION = "SslAuthentication"
LOGIN = ("Authentication", "IllegalSaslState", "UnsupportedSaslMechanism")
ABSENT = ("UnknownTopicOrPartition", "InvalidTopic")
SETTINGS = ("Config", "KafkaException")
NOW_AND_THEN = ("Timeout", "Disconnect", "Network", "NotLeader", "LeaderNotAvailable", "CoordinatorNotAvailable")

# The part of Spark's error that Kafka's client or the connector wrote.
KAFKA_SAID = re.compile(r"org\.apache\.kafka\.[\w.]+(?:Exception|Error)(?:: .*)?|\[KAFKA_DATA_LOSS.*")


@dataclass(frozen=True)
class KafkaAddress:
    """Where a cluster is, and the login for it."""

    variable: str  # the environment variable that holds it
    place: str
    properties: dict[str, str] = field(repr=False)  # of the client; the login among them

    @property
    def options(self) -> dict[str, str]:
        """Of Spark's reader."""
        return {f"kafka.{name}": value for name, value in self.properties.items()}


def kafka_address(cluster: str) -> KafkaAddress:
    """The address in the environment variable of the cluster, or in the file that another one names."""
    variable = f"{cluster.upper()}_KAFKA"
    text = from_environment(variable, FORM)
    try:
        parts = urlsplit(text if "://" in text else f"kafka://{text}")
        asked = dict(parse_qsl(parts.query, strict_parsing=bool(parts.query)))
    except ValueError:
        raise _no_address(variable) from None
    login, _, place = parts.netloc.rpartition("@")
    servers = [server.rpartition(":") for server in place.split(",")]
    if (
        parts.scheme != "kafka"
        or parts.path.strip("/")
        or not all(host and port.isdigit() for host, _, port in servers)
    ):
        raise _no_address(variable)
    milliseconds = str(1000 * ANSWER_SECONDS)
    properties = {
        "bootstrap.servers": place,
        "isolation.level": "read_committed",  # skip the messages of aborted sends
        "default.api.timeout.ms": milliseconds,
        "request.timeout.ms": milliseconds,
        **(_login(variable, login, asked.get("sasl.mechanism", "PLAIN")) if login else {}),
        **asked,
    }
    return KafkaAddress(variable, place, properties)


def _no_address(variable: str) -> UsageError:
    return UsageError(f"{variable} is not the address of a Kafka cluster; expected {FORM}")


def _login(variable: str, login: str, mechanism: str) -> dict[str, str]:
    """Encrypted unless the address says otherwise."""
    if mechanism not in LOGIN_MODULES:
        raise UsageError(
            f"{variable} has a user for sasl.mechanism {mechanism!r}; expected {', '.join(LOGIN_MODULES)}, or no user and "
            "sasl.jaas.config after the question mark"
        )
    user, password = (_quoted(unquote(part)) for part in login.partition(":")[::2])
    return {
        "security.protocol": "SASL_SSL",
        "sasl.mechanism": mechanism,
        "sasl.jaas.config": f"{LOGIN_MODULES[mechanism]} required username={user} password={password};",
    }


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


@dataclass(frozen=True)
class FoundOffset:
    offset: int  # -1 if there is none
    timestamp: int  # in milliseconds


class KafkaTopic:
    """The present metadata of a topic."""

    def __init__(self, spark: SparkSession, address: KafkaAddress, topic: str) -> None:
        self.address, self.topic = address, topic
        jvm = java(spark)
        self._jvm, self._kafka = jvm, jvm.org.apache.kafka
        properties = java_properties(jvm, address.properties)
        self._admin = self._asked(lambda: self._kafka.clients.admin.Admin.create(properties))
        try:
            about = self._asked(
                lambda: self._admin.describeTopics(self._list([topic])).allTopicNames().get().get(topic)
            )
            self.id = str(about.topicId())
            self.partitions = sorted(part.partition() for part in about.partitions())
        except BaseException:
            self.close()
            raise

    def is_compacted(self) -> bool:
        """Whether later messages of a key remove the earlier ones."""
        config = self._kafka.common.config.ConfigResource
        resource = config(config.Type.TOPIC, self.topic)
        settings = self._asked(lambda: self._admin.describeConfigs(self._list([resource])).all().get().get(resource))
        return "compact" in str(settings.get("cleanup.policy").value())

    def first(self) -> dict[int, int]:
        """The first offset that each partition still holds."""
        return {number: found.offset for number, found in self._offsets("earliest").items()}

    def last(self) -> dict[int, int]:
        """The offset of each partition's next message."""
        return {number: found.offset for number, found in self._offsets("latest").items()}

    def since(self, moment: datetime) -> dict[int, FoundOffset]:
        """The first message of each partition whose timestamp is that moment or later."""
        return self._offsets("forTimestamp", round(1000 * moment.timestamp()))

    def _offsets(self, which: str, *arguments: int) -> dict[int, FoundOffset]:
        admin, common = self._kafka.clients.admin, self._kafka.common
        longs = [self._jvm.java.lang.Long.valueOf(str(each)) for each in arguments]
        wanted = self._jvm.java.util.HashMap()
        for number in self.partitions:
            spec = getattr(admin.OffsetSpec, which)(*longs)
            wanted.put(common.TopicPartition(self.topic, number), spec)
        committed = admin.ListOffsetsOptions(common.IsolationLevel.READ_COMMITTED)
        found = self._asked(lambda: self._admin.listOffsets(wanted, committed).all().get())
        return {
            partition.partition(): FoundOffset(found[partition].offset(), found[partition].timestamp())
            for partition in found
        }

    def close(self) -> None:
        self._admin.close(self._jvm.java.time.Duration.ofSeconds(1))

    def _list(self, values: Iterable[Any]) -> Any:
        java = self._jvm.java.util.ArrayList()
        for value in values:
            java.add(value)
        return java

    def _asked(self, question: Callable[[], Answer]) -> Answer:
        return ask_java(question, self._explained)

    def _explained(self, error: Any) -> PipelineError:
        cause = error.getCause() or error
        name = cause.getClass().getSimpleName()
        return explained(self.address, self.topic, name, str(cause.getMessage()))


def explained(address: KafkaAddress, topic: str, name: str, message: str) -> PipelineError:
    """The error of a client, by the name of its class, with what to do about it."""
    said = " ".join(message.split())
    if name.startswith(ENCRYPTION):
        return UsageError(
            f"{address.place} and this client don't trust each other: {said}. Set ssl.truststore.location in {address.variable} "
            "to the file of the authority that signed the broker's certificate, and ssl.truststore.type=PEM if it is one."
        )
    if any(sign in name for sign in LOGIN):
        if "expired" in said.lower():
            return SourceUnreachableError(
                f"{address.place} refuses an expired login: {said}. Nothing was read; run again."
            )
        return UsageError(
            f"{address.place} refuses the login: {said}. Correct {address.variable}, or the file it names."
        )
    if "Authorization" in name:
        return UsageError(f"{address.place} refuses {topic}: {said}. Give the user the right to read and describe it.")
    if name.startswith(ABSENT):
        return UsageError(
            f"{address.place} has no topic {topic}: {said} Correct the source in the contract, or create it."
        )
    if any(sign in name for sign in NOW_AND_THEN) or "resolvable" in said:
        return SourceUnreachableError(
            f"{address.place} did not answer within {ANSWER_SECONDS} s: {said}. Nothing was read; run again later."
        )
    if name.startswith(SETTINGS):
        return UsageError(f"{address.variable} can't be used: {said}. Correct it, or the file it names.")
    return PipelineError(f"{address.place} failed: {name}: {said}")


def unread(topic: str, cluster: str, error: Exception) -> PipelineError | None:
    """The error of reading, with what to do about it; None if it does not come from Kafka."""
    said = [found for line in str(error).splitlines() if (found := KAFKA_SAID.search(line))]
    if not said:
        return None
    return SourceUnreachableError(
        f"{topic} of {cluster} could not be read to its end: {said[-1][0]}. Nothing was written; run again."
    )
