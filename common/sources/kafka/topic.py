"""A Kafka topic as a source: a period is a range of offsets, found once by time and kept in raw's commit."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import partial
from typing import TYPE_CHECKING

from common.contracts.changes import Debezium
from common.contracts.contract import LINE, Contract
from common.contracts.declared_source import ASKED_ONCE, DeclaredSource, require_changes, require_choice
from common.days import day_range
from common.errors import ContractDeclarationError, PipelineError, SourceMissingError, require
from common.names import NAME
from common.sources.kafka.client import KafkaTopic, kafka_address, unread
from common.sources.kafka.ranges import FoundRanges, KeptRanges, OffsetRange, PeriodOffsets, lost
from common.sources.rows import OpenedWhenOver, require_over
from common.sources.source import Period, Source, SourceListing, SourceUnit

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

# How a message's value becomes fields. Avro and Protobuf would be further ones, with the address of a schema registry.
FORMATS = ("json",)
TOPIC = re.compile(r"[A-Za-z0-9._-]{1,249}")
# How many periods to look back and ahead for one that was read already.
NEAR = 31
# The assumed size of a message in bytes, before it is known: it decides how many records count as few.
USUAL_BYTES = 500


@dataclass(frozen=True, kw_only=True)
class Kafka(DeclaredSource):
    """A topic of a Kafka cluster. The cluster's address and login are in the environment, never here."""

    cluster: str
    topic: str
    value: str = "json"
    key_as: str | None = None
    sent_as: str | None = None
    offset_as: str | None = None
    deleted_as: str | None = None
    headers: tuple[str, ...] = ()
    compacted: bool = False
    changes: Debezium | None = None
    settle_minutes: int = 0
    longest_record: int = 1_000_000

    def __post_init__(self) -> None:
        super().__post_init__()
        plain = bool(NAME.fullmatch(self.cluster))
        require(plain, f"cluster {self.cluster!r} is not allowed; expected lower-case letters, digits and _, like shop")
        named = bool(TOPIC.fullmatch(self.topic))
        require(named, f"topic {self.topic!r} is not allowed; expected letters, digits, '.', '_' and '-', like orders")
        require_choice("value", self.value, FORMATS)
        require_changes(self.changes)
        alone = not (self.changes and self.deleted_as)
        require(alone, "deleted_as is for messages without changes: a change says itself what it deletes; remove one")
        for name, least in (("settle_minutes", 0), ("longest_record", 1)):
            fits = getattr(self, name) >= least
            require(fits, f"{name} {getattr(self, name)} is not allowed; expected {least} or more")
        named = not self.deleted_as or bool(self.key_as)
        require(named, "deleted_as needs key_as: a message without a value says by its key alone what is deleted")

    @property
    def can_be_followed(self) -> bool:
        return not self.compacted

    @property
    def beside(self) -> list[str]:
        """The columns that do not come from a message's value."""
        named = (self.key_as, self.sent_as, self.offset_as, self.deleted_as, *self.headers)
        return [name for name in named if name]

    @property
    def needs_java(self) -> bool:
        return True

    def misfit(self, contract: Contract) -> str:
        if contract.key == LINE:
            return 'messages are not lines; declare a column, say "place", Kafka(offset_as="place") and key=("place",)'
        declared = [column.name for column in contract.columns]
        unknown = [name for name in self.beside if contract.own_name(name) not in declared]
        return f"Kafka names {unknown}, but the columns are {declared}" if unknown else ""

    def open(self, period: Period) -> Source:
        return OpenedTopic(self, period)


@dataclass
class OpenedTopic(OpenedWhenOver):
    """A topic, asked about one period."""

    declared: Kafka
    ranges: Mapping[int, OffsetRange] | None = None

    def fingerprint(self) -> str:
        """A range of offsets never changes, but a compacted topic loses messages."""
        if self.declared.compacted:
            return ASKED_ONCE
        offsets = f"offsets of {self.declared.topic} in {self.declared.cluster}"
        until = self._until
        return offsets if until is None else f"{offsets} until {sorted(until.items())}"

    @property
    def _until(self) -> dict[int, int] | None:
        """How far a stream has come in the period; None once it is whole. It never goes back, though a batch may be repeated."""
        if self.period.until is None:
            return None
        kept = self._kept(self.period)
        if kept and kept.whole:
            return None
        until = dict(self.period.until)
        for number, each in kept.ranges.items() if kept else ():
            until[number] = max(each.end, until.get(number, 0))
        return until

    def holds(self) -> SourceListing:
        if self._until is None:
            require_over(self.period, self.declared.settle_minutes)
        topic = KafkaTopic(self.period.spark, kafka_address(self.declared.cluster), self.declared.topic)
        try:
            return self._holds(topic)
        finally:
            topic.close()

    def _holds(self, topic: KafkaTopic) -> SourceListing:
        self._require_as_declared(topic)
        asked = datetime.now(UTC)
        kept = self._kept(self.period)
        if kept and kept.whole:
            if why := lost(kept, topic):
                raise SourceMissingError(
                    f"{self.declared.topic} no longer has what {self.period.ds} held: {why}. Raw keeps what was read."
                )
            found = FoundRanges(kept.ranges)
        else:
            found = self._found(topic, asked)
        self.ranges = found.ranges
        facts = {
            "cluster": self.declared.cluster,
            "topic": self.declared.topic,
            "topic_id": topic.id,
            "offsets": {str(number): [each.start, each.end] for number, each in found.ranges.items()},
            "asked_at": str(asked),
            **({"head_unknown": found.head_unknown} if found.head_unknown else {}),
            **({} if self._until is None else {"whole": False, "batch": self.period.batch}),
        }
        units = self._units(found, topic)
        empty = not any(map(len, found.ranges.values())) and not found.gone and self.declared.on_empty == "fail"
        return SourceListing(f"{self.declared.topic} of {self.declared.cluster}", () if empty else units, facts)

    def _require_as_declared(self, topic: KafkaTopic) -> None:
        if topic.is_compacted() and not self.declared.compacted:
            raise ContractDeclarationError(
                f"{self.declared.topic} is compacted: it loses messages whose key comes again, so a period can't be read again "
                "as it was. Declare Kafka(compacted=True): what was read first then stays."
            )

    def _kept(self, period: Period) -> KeptRanges | None:
        return KeptRanges.of(period.taken, self.declared.cluster, self.declared.topic)

    def _neighbours(self) -> tuple[KeptRanges | None, KeptRanges | None]:
        """What is kept of the nearest periods before and after that are whole. A stream has just read the one before."""
        from common.lake.log.delta_log import TableLog

        ds, near = self.period.ds, day_range(self.period.ds, NEAR, NEAR)
        kept: dict[date, KeptRanges | None] = {}
        for commit in TableLog(self.period.raw).since_day(near[0]) if self.period.raw else ():
            if commit.complete and commit.books["job"] == "ingest" and (day := commit.days[0]) not in kept:
                facts, adjacent = commit.books.get("sources", {}), day in day_range(ds, 1, 1)
                kept[day] = KeptRanges.of(facts, self.declared.cluster, self.declared.topic, adjacent)
        whole = {
            day: ranges
            for day, ranges in kept.items()
            if day in near and ranges and (ranges.whole or (self._until is not None and ranges.adjacent and day < ds))
        }
        earlier, later = [day for day in whole if day < ds], [day for day in whole if day > ds]
        return whole[max(earlier)] if earlier else None, whole[min(later)] if later else None

    def _found(self, topic: KafkaTopic, asked: datetime) -> FoundRanges:
        scan = partial(self._scan, self.period.spark)
        offsets = PeriodOffsets(topic, asked, scan)
        found = offsets.between(self.period.start, self.period.end, *self._neighbours(), self._until)
        if self._until is not None:
            return found
        if found.is_before_all:
            raise SourceMissingError(
                f"{self.declared.topic} does not go back to {self.period.ds}: it begins with offsets "
                f"{ {number: each.start for number, each in found.ranges.items()} }, later than that. Its retention has "
                "removed the period, or there was none; raise retention.ms for the next ones."
            )
        if found.head_unknown:
            logging.getLogger("pipeline").warning(
                "%s begins within %s or later in the partitions %s: what came before may be lost",
                self.declared.topic, self.period.ds, found.head_unknown,
            )  # fmt: skip
        return found

    def _units(self, found: FoundRanges, topic: KafkaTopic) -> tuple[SourceUnit, ...]:
        name = self.declared.topic
        gone = [
            SourceUnit(
                f"{name}-{number}@{each}", 0, f"offsets {each} were removed from the topic before they were read"
            )
            for number, each in sorted(found.gone.items())
        ]
        # Only reading shows their number: commit markers have offsets, too.
        held = [SourceUnit(f"{name}-{number}", None if each else 0) for number, each in sorted(found.ranges.items())]
        return (*gone, *held)

    def read(self, spark: SparkSession, listing: SourceListing) -> DataFrame:
        from common.runtime import plan_size
        from common.sources.kafka.messages import KEY, PARTITION, VALUE, MessageReader
        from common.sources.kafka.reader import beside_columns

        declared, contract = self.declared, self.period.contract
        ranges = {number: each for number, each in (self.ranges or {}).items() if each}
        beside = beside_columns(declared.sent_as, declared.offset_as, declared.headers)
        messages = self._messages(spark, ranges, has_headers=bool(declared.headers)).select(
            PARTITION, VALUE, KEY, *(column.alias(name) for name, column in beside.items())
        )
        reader = MessageReader(
            contract, declared.topic, declared.longest_record, tuple(beside), declared.key_as, declared.deleted_as
        )
        fields = ", ".join(f"`{column.name}` string" for column in contract.columns)
        schema = f"file string, problem string, record string, extra string, lines bigint, {fields}"
        records = messages.mapInArrow(reader.batches, schema)
        return plan_size.by_size(records, USUAL_BYTES * sum(map(len, ranges.values())))

    def _messages(self, spark: SparkSession, ranges: Mapping[int, OffsetRange], has_headers: bool = False) -> DataFrame:
        from common.sources.kafka.reader import messages_of

        return messages_of(spark, kafka_address(self.declared.cluster), self.declared.topic, ranges, has_headers)

    def _scan(
        self, spark: SparkSession, ranges: Mapping[int, OffsetRange], moment: datetime, now: datetime
    ) -> dict[int, int]:
        from common.sources.kafka.reader import first_between

        messages = self._messages(spark, {number: each for number, each in ranges.items() if each})
        return {number: each.end for number, each in ranges.items()} | first_between(messages, moment, now)

    def explain(self, error: Exception) -> PipelineError | None:
        return unread(self.declared.topic, self.declared.cluster, error)
