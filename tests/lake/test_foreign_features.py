"""A table with Delta features that change what its files mean is refused, never misread."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

import pytest
from pyspark.sql import SparkSession

from common.contracts import layout
from common.errors import UnsupportedTableError
from common.lake import small_tables, snapshot, spark_tables
from common.lake.log import data_files, delta_log
from common.training import store
from tests.support.play_lake import PlayLake

DAY = date(2026, 1, 5)
STRANGE = {
    "deletionVectors": {"delta.enableDeletionVectors": "true"},
    "columnMapping": {"delta.columnMapping.mode": "name"},
    "typeWidening": {"delta.enableTypeWidening": "true"},
}


def write(lake: PlayLake, spark: SparkSession, properties: dict[str, str], more: str = "") -> str:
    """Writes five rows as another program might, and deletes one."""
    uri = lake.plan("clean", str(DAY)).path(layout.raw(lake.contract))
    columns = f"DATE'2026-01-05' AS ds, CAST(id AS INT) AS number{more}"
    rows = spark.range(0, 5, 1, 1).selectExpr(*columns.split(", "))
    rows.write.format("delta").partitionBy("ds").options(**properties).save(uri)
    spark.sql(f"DELETE FROM delta.`{uri}` WHERE number = 3")
    return uri


@pytest.mark.parametrize("feature", STRANGE)
def test_a_feature_that_changes_what_files_mean_is_refused(lake: PlayLake, spark: SparkSession, feature: str) -> None:
    uri = write(lake, spark, STRANGE[feature])
    run = lake.plan("clean", str(DAY))
    reads: list[Callable[[], object]] = [
        lambda: spark_tables.read_partitions(run, layout.raw(lake.contract), {"ds": [DAY]}).collect(),
        lambda: data_files.partition_files(uri, ds=[str(DAY)]),
        lambda: small_tables.read_slice(uri, {"ds": [DAY]}),
        lambda: snapshot.open_version(uri, 1),
        lambda: store.read_delta(uri),
    ]
    for read in reads:
        with pytest.raises(UnsupportedTableError, match=f"version 1 has the Delta features {feature}.*DROP FEATURE"):
            read()


def test_a_feature_that_leaves_the_files_alone_is_read(lake: PlayLake, spark: SparkSession) -> None:
    harmless = {"delta.checkpointPolicy": "v2", "delta.feature.vacuumProtocolCheck": "supported"}
    harmless |= {"delta.feature.columnMapping": "supported", "delta.columnMapping.mode": "none"}
    uri = write(lake, spark, harmless, ", TIMESTAMP_NTZ'2026-01-05 10:00:00' AS at")
    features = set(delta_log.open_table(uri).protocol().reader_features)  # type: ignore[union-attr, arg-type]
    assert features >= {"v2Checkpoint", "timestampNtz", "vacuumProtocolCheck", "columnMapping"}
    run = lake.plan("clean", str(DAY))
    rows = spark_tables.read_partitions(run, layout.raw(lake.contract), {"ds": [DAY]}).collect()
    assert sorted(row["number"] for row in rows) == [0, 1, 2, 4]
    assert snapshot.open_version(uri, 1).version == 1
