"""A collection of MongoDB as a source: the documents that were made or changed in a period, or all of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from common.contracts.declared_source import DeclaredSource, require_least, require_short_name
from common.errors import PipelineError, UsageError, require
from common.names import did_you_mean
from common.sources.arrow_batches import schema
from common.sources.mongo.bson_text import bson_json, bson_text
from common.sources.mongo.connection import MongoAddress, mongo_address
from common.sources.mongo.documents import DocumentReader
from common.sources.rows import OpenedOnce, require_over, require_timely
from common.sources.source import Period, Source, SourceListing, SourceUnit

if TYPE_CHECKING:
    import pyarrow as pa
    from pymongo.collection import Collection
    from pyspark.sql import DataFrame, SparkSession

    from common.contracts.contract import Contract

# The field every document has; MongoDB makes it from the time, in whole seconds.
ID = "_id"
LEAST = {"overlap_minutes": 0, "settle_minutes": 0, "late_hours": 0, "parallel": 1, "timeout_seconds": 1}
Condition = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Mongo(DeclaredSource):
    """A collection of a MongoDB database. Its address and login are in the environment, never here."""

    database: str
    collection: str
    watermark: str | None = None
    overlap_minutes: int = 10
    settle_minutes: int = 0
    late_hours: int = 24
    parallel: int = 1
    timeout_seconds: int = 60

    def __post_init__(self) -> None:
        super().__post_init__()
        require_short_name("database", self.database)
        named = bool(self.collection) and "\0" not in self.collection and "$" not in self.collection
        require(named, f"collection {self.collection!r} is not allowed; expected a name like orders")
        watermark = self.watermark is None or (all(self.watermark.split(".")) and not self.watermark.startswith("$"))
        require(watermark, f"watermark {self.watermark!r} is not allowed; expected a field like updated_at, or _id")
        require_least(self, LEAST)

    def misfit(self, contract: Contract) -> str:
        if self.watermark and contract.event_time is None:
            return "a contract without event_time is a whole snapshot a day, so Mongo must have no watermark"
        return ""

    def open(self, period: Period) -> Source:
        return OpenedCollection(self, period)


@dataclass
class OpenedCollection(OpenedOnce):
    """One period's documents, found by ranges of one field."""

    declared: Mongo
    address: MongoAddress | None = None
    parts: list[Condition] = field(default_factory=list)

    def holds(self) -> SourceListing:
        require_over(self.period, self.declared.settle_minutes)
        name = self.declared.collection
        self.address = mongo_address(self.declared.database, self.declared.timeout_seconds)
        with self.address.database() as database:
            asked = database.client.admin.command("hello")["localTime"].replace(tzinfo=UTC)
            late_hours = None if self.declared.watermark else self.declared.late_hours
            require_timely(self.period, asked, self.declared.database, name, late_hours)
            known = database.list_collection_names(authorizedCollections=True)
            if name not in known:
                raise UsageError(
                    f"{self.declared.database} has no collection {name!r}{did_you_mean(name, known)}; correct the source in "
                    "the contract, or the user's rights"
                )
            collection = database[name]
            self.parts = self._parts(collection)
            nothing = all(collection.find_one(part, {ID: 1}) is None for part in self.parts)
            if nothing and self.declared.watermark:
                self._require_moments(collection, self.declared.watermark)
        facts = {
            "database": self.declared.database,
            "range": [str(moment) for moment in self._span] if self.declared.watermark else "whole collection",
            "asked_at": str(asked),
            "one_moment": False,
        }
        unit = SourceUnit(name, 0 if nothing else None)
        empty = nothing and self.declared.on_empty == "fail"
        return SourceListing(f"{name} of {self.declared.database}", () if empty else (unit,), facts)

    @property
    def _span(self) -> tuple[datetime, datetime]:
        return self.period.reaching_back(self.declared.overlap_minutes)

    def _parts(self, collection: Collection[dict[str, Any]]) -> list[Condition]:
        """Conditions for connections that read side by side; of every document that is to be read, exactly one holds."""
        watermark, parallel = self.declared.watermark, self.declared.parallel
        if watermark:
            # Without an index, MongoDB looks through the whole collection for each part.
            parallel = parallel if _is_indexed(collection, watermark) else 1
            cuts = [_value(watermark, moment) for moment in _divided(*self._span, parallel)]
            return [{watermark: {"$gte": low, "$lt": high}} for low, high in pairwise(cuts)]
        ends = [
            collection.find_one({ID: {"$type": "objectId"}}, {ID: 1}, sort=[(ID, order)])
            for order in ((1, -1) if parallel > 1 else ())
        ]
        bounds = [found[ID].generation_time for found in ends if found]
        if not bounds:
            return [{}]
        cuts = [_value(ID, moment) for moment in _divided(bounds[0], bounds[1], parallel)[1:-1]]
        inner = [{ID: {"$gte": low, "$lt": high}} for low, high in pairwise(cuts)]
        # No range of MongoDB's own identifiers holds one that MongoDB did not make.
        return [{"$nor": [{ID: {"$gte": cuts[0]}}]}, *inner, {ID: {"$gte": cuts[-1]}}]

    def _require_moments(self, collection: Collection[dict[str, Any]], watermark: str) -> None:
        """A range of another type matches nothing: do not mistake that for a period without documents."""
        kind = "objectId" if watermark == ID else "date"
        if collection.find_one({}, {ID: 1}) and not collection.find_one({watermark: {"$type": kind}}, {ID: 1}):
            raise UsageError(
                f"watermark {watermark!r} holds no {kind} in any document of {self.declared.collection}; name a field that is"
            )

    def read(self, spark: SparkSession, listing: SourceListing) -> DataFrame:
        from common.runtime import plan_size

        assert self.address
        plan_size.begin_large(spark)
        address, collection, parts = self.address, self.declared.collection, self.parts
        reader = DocumentReader(self.period.contract, bson_text, bson_json)

        def read_parts(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
            for batch in batches:
                for place in batch.column(0).to_pylist():
                    yield from reader.batches(collection, address.documents(collection, parts[place]))

        return spark.range(0, len(parts), 1, len(parts)).mapInArrow(read_parts, schema(reader.columns))

    def explain(self, error: Exception) -> PipelineError | None:
        return self.address.raised(str(error)) if self.address else None


def _is_indexed(collection: Collection[dict[str, Any]], watermark: str) -> bool:
    from pymongo.errors import OperationFailure

    try:
        return any(index["key"][0][0] == watermark for index in collection.index_information().values())
    except OperationFailure:  # a view has none of its own, and a user may not see them
        return True


def _divided(first: datetime, last: datetime, parts: int) -> list[datetime]:
    cuts = {first + (last - first) * part / parts for part in range(1, parts)}
    return [first, *sorted(cut.replace(microsecond=0) for cut in cuts), last]


def _value(watermark: str, moment: datetime) -> Any:
    """The smallest watermark of a document of that moment."""
    from bson import ObjectId

    return ObjectId.from_datetime(moment) if watermark == ID else moment
