"""Lays down more history under both ways at once: copies of a day that was really run, dated before the day before it, with
keys of their own. `history.py LAKE DAY COPIES`, by spark-submit."""

import json
import sys
from datetime import date, timedelta

from delta.tables import DeltaTable
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from common.contracts import datasets, layout
from common.orchestration import verdicts
from common.orchestration.changes import Logs
from common.runtime.run import Run
from common.runtime.settings import load_settings

lake, day, copies = sys.argv[1], date.fromisoformat(sys.argv[2]), int(sys.argv[3])
days = [day - timedelta(days=number) for number in range(2, copies + 2)]
# As clean would have said: no later day's records change, but its partials of these event dates do.
books = {"job": "clean", "ds": str(day), "days": [*map(str, days)], "counts": {}, "resettled": []}
spark = (
    SparkSession.builder.appName("history")
    .config("spark.sql.extensions", "io.delta.sql.DeltaSparkSessionExtension")
    .config("spark.sql.catalog.spark_catalog", "org.apache.spark.sql.delta.catalog.DeltaCatalog")
    .config("spark.sql.session.timeZone", "UTC")
    .config("spark.databricks.delta.commitInfo.userMetadata", json.dumps(books))
    .getOrCreate()
)
# Each table's dates, the one that it is partitioned by first, and the columns that tell one day's rows from another's.
TABLES = {
    "ours/raw/transactions": (["ds"], ["record_hash"]),
    "ours/processed/transactions": (["event_date", "arrived"], ["transaction_id"]),
    "ours/features/transactions/v1": (["ds"], []),
    "theirs/raw": (["ds"], ["record_hash"]),
    "theirs/processed": (["event_date", "arrived"], ["transaction_id"]),
    "theirs/features": (["ds"], []),
}
for name, (dates, keys) in TABLES.items():
    path = f"{lake}/{name}"
    rows = spark.read.format("delta").load(path)
    columns = rows.columns
    rows = rows.where(F.lit(day) == F.greatest(*dates) if len(dates) > 1 else F.col(dates[0]) == F.lit(day))
    rows = rows.crossJoin(F.broadcast(spark.range(2, copies + 2).withColumnRenamed("id", "_copy")))
    changed = {each: F.date_sub(each, F.col("_copy").cast("int")) for each in dates}
    changed |= {each: F.concat(each, F.lit("-"), F.col("_copy").cast("string")) for each in keys}
    if dict(rows.dtypes).get("timestamp") == "timestamp":
        changed["timestamp"] = F.col("timestamp") - F.make_dt_interval("_copy")
    shifted = rows.withColumns(changed).select(*columns).repartition(copies, dates[0])
    shifted.write.format("delta").mode("append").save(path)
    print(name, DeltaTable.forPath(spark, path).history(1).select("operationMetrics").first())
dataset = datasets.load("transactions")
settings = load_settings("local", lake=f"{lake}/ours", landing=f"{lake}/landing")
run = Run("validate", dataset, day, settings, "history", "")
verdicts.assume_passed(run, "processed", days, Logs(run).now(layout.processed(dataset.contract)))
