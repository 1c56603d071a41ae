"""The changes of a table in another lake as a source: a period is a range of the table's versions, kept in raw's commit."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from common.contracts.changes import DELETED, POSITION, Debezium
from common.contracts.declared_source import require_short_name
from common.errors import PipelineError, SourceMissingError, UsageError, require
from common.lake.log import delta_log
from common.lake.log.delta_log import NO_TABLE, TableLog
from common.sources.credentials import from_environment
from common.sources.rows import RowSource
from common.sources.source import Period, SourceListing, SourceUnit

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

ENABLED = "delta.enableChangeDataFeed"
OTHER_COLUMNS = "DELTA_CHANGE_DATA_FEED_INCOMPATIBLE"
KIND, VERSION, TIME = OF_FEED = ("_change_type", "_commit_version", "_commit_timestamp")


@dataclass(frozen=True, kw_only=True)
class DeltaFeed(RowSource):
    """The changes of a Delta table in another lake, which has its change data feed on. The lake's place is in the environment."""

    lake: str
    table: str

    def __post_init__(self) -> None:
        super().__post_init__()
        require_short_name("lake", self.lake)
        named = all(self.table.split("/")) and not {".", ".."} & {*self.table.split("/")}
        require(named, f"table {self.table!r} is not allowed; expected its path in the lake, like processed/customers")

    @property
    def changes(self) -> Debezium:
        """What an envelope of its changes would be."""
        return Debezium(position="version")

    @property
    def uri(self) -> str:
        variable = f"{self.lake.upper()}_LAKE"
        return f"{from_environment(variable, 'the place of a lake').rstrip('/')}/{self.table}"

    def fingerprint(self, period: Period) -> str:
        """A range of versions never changes."""
        return f"versions of {self.table} in {self.lake}"

    def holds(self, period: Period) -> SourceListing:
        table_id, kept = self._table_id(), period.taken
        again = kept.get("table") == self.table and "versions" in kept
        if again and kept["table_id"] != table_id:
            raise SourceMissingError(
                f"{self.table} of {self.lake} was created again, and no longer has what {period.ds} held. "
                "Raw keeps what was read."
            )
        versions = kept["versions"] if again else self._versions(period)
        facts = {"lake": self.lake, "table": self.table, "table_id": table_id, "versions": versions}
        return SourceListing(f"{self.table} of {self.lake}", (SourceUnit(self.table, None if versions else 0),), facts)

    def read(self, spark: SparkSession, period: Period, listing: SourceListing) -> DataFrame:
        from pyspark.sql import functions as F

        versions = listing.facts["versions"]
        deletes = F.col(KIND) == "delete"
        rows = self._feed(spark, versions).where(F.col(KIND) != "update_preimage")
        names = [name for name in rows.columns if name not in OF_FEED]
        keys = [name for name in names if period.contract.own_name(name) in period.contract.key]
        values = [F.col(name) if name in keys else F.when(~deletes, F.col(name)).alias(name) for name in names]
        # One commit may delete a row and insert it again.
        position = F.col(VERSION) * 2 + (~deletes).cast("long")
        return rows.select(*values, position.alias(POSITION), deletes.alias(DELETED))

    def explain(self, period: Period, error: Exception) -> PipelineError | None:
        if OTHER_COLUMNS not in str(error):
            return None
        return UsageError(
            f"{self.table} of {self.lake} has other columns, or other types, than when {period.ds} changed it: Delta reads "
            "changes with the columns of today. Nothing was written. Days that raw holds stay; for this one, copy its changes "
            "into a table of their own, and name that in the contract."
        )

    def _feed(self, spark: SparkSession, versions: list[int]) -> DataFrame:
        from pyspark.sql import functions as F

        if not versions:
            nothing = {KIND: F.lit(""), VERSION: F.lit(0).cast("long"), TIME: F.current_timestamp()}
            return spark.read.format("delta").load(self.uri).limit(0).withColumns(nothing)
        options = {"readChangeFeed": "true", "startingVersion": str(versions[0]), "endingVersion": str(versions[1])}
        return spark.read.format("delta").options(**options).load(self.uri)

    def _table_id(self) -> str:
        newest = delta_log.version(self.uri)
        if newest == NO_TABLE:
            raise UsageError(
                f"there is no table {self.table} in the lake {self.lake}; expected its path, like processed/orders"
            )
        about: Any = delta_log.at_version(self.uri, newest).metadata()
        if about.configuration.get(ENABLED) != "true":
            raise UsageError(f"{self.table} of {self.lake} keeps no changes; set its property {ENABLED} to true")
        return delta_log.table_id(self.uri, newest)

    def _versions(self, period: Period) -> list[int]:
        """The first and the last version of the period; empty if it has none."""
        moments = [*self._moments()]
        oldest, begins = moments[0]
        if oldest > 0 and begins >= period.start:
            raise SourceMissingError(
                f"the log of {self.table} begins with version {oldest} of {begins:%Y-%m-%d %H:%M}, after {period.ds} began: its "
                "retention has removed what came before; raise delta.logRetentionDuration for the next ones"
            )
        found = [version for version, at in moments if period.start <= at < period.end]
        return [found[0], found[-1]] if found else []

    def _moments(self) -> Iterator[tuple[int, datetime]]:
        """Every version with its time, which never goes back, as clocks may."""
        commits = [*TableLog(self.uri)][::-1]
        latest = commits[0].at
        for commit in commits:
            latest = max(latest, commit.at)
            yield commit.version, latest
