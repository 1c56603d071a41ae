"""The least PySpark that makes the same feature rows of a day: no books, no quarantine, no gate, nothing to go back to.

What a pipeline costs is measured against what its figures cost: `large_day.py` runs it in one session, `warm.py --lean` as
three submits.
"""

from __future__ import annotations

from datetime import date, timedelta

from pyspark.sql import DataFrame, SparkSession, Window
from pyspark.sql import functions as F

from common.lake.sql_conditions import path_table

LATENESS = timedelta(days=7)
CATEGORIES = ["electronics", "clothing", "home", "food", "sports"]
PAYMENTS = ["card", "paypal", "cash", "transfer"]
FIELDS = ("transaction_id", "user_id", "age", "purchase_amount", "timestamp", "category", "payment_method")
TEXTS = ", ".join(f"{name} string" for name in FIELDS)


class LeanDay:
    def __init__(self, spark: SparkSession, landing: str, lake: str) -> None:
        self._spark, self._landing, self._lake = spark, landing, lake

    def run(self, day: date) -> None:
        self.ingest(day)
        self.clean(day)
        self.features(day)

    def ingest(self, day: date) -> None:
        files = f"{self._landing}/transactions/ds={day}"
        header = self._spark.read.text(f"{files}/*.csv").first()
        assert header is not None
        names = header[0].strip().split(",")
        texts = ", ".join(f"`{name}` string" for name in names)
        rows = self._spark.read.schema(texts).csv(files, header=True, mode="DROPMALFORMED").select(*FIELDS)
        self._replace(rows.withColumn("ds", F.lit(day)), "raw", "ds", day)

    def clean(self, day: date) -> None:
        raw = self._stored("raw").where(F.col("ds") == day)
        text = {name: F.trim(name) for name in FIELDS}
        typed = raw.select(
            text["transaction_id"].alias("transaction_id"),
            text["user_id"].try_cast("bigint").alias("user_id"),
            text["age"].try_cast("int").alias("age"),
            text["purchase_amount"].try_cast("decimal(12,2)").alias("purchase_amount"),
            text["timestamp"].try_cast("timestamp").alias("timestamp"),
            F.lower(text["category"]).alias("category"),
            F.lower(text["payment_method"]).alias("payment_method"),
        ).withColumn("event_date", F.to_date("timestamp"))
        good = typed.where(
            F.col("category").isin(CATEGORIES)
            & F.col("payment_method").isin(PAYMENTS)
            & (F.col("user_id") >= 0)
            & (F.col("age").isNull() | F.col("age").between(0, 120))
            & (F.col("purchase_amount") > 0)
            & (F.col("purchase_amount") <= 100_000)
            & F.col("event_date").between(day - LATENESS, day)
        )
        newest = Window.partitionBy("transaction_id").orderBy(F.desc("timestamp"))
        rows = good.withColumn("place", F.row_number().over(newest)).where("place = 1").drop("place").persist()
        # Most rows are of the day itself, and nobody has written those before.
        self._replace(rows.where(F.col("event_date") == day), "processed", "event_date", day)
        stored = path_table(f"{self._lake}/processed")
        earlier = f"{stored}.event_date >= date'{day - LATENESS}' AND {stored}.event_date < date'{day}'"
        same = F.expr(f"{stored}.transaction_id = s.transaction_id AND {earlier}")
        merge = rows.where(F.col("event_date") < day).alias("s").mergeInto(stored, same)
        newer = F.expr(f"s.timestamp >= {stored}.timestamp")
        merge.whenMatched(newer).updateAll().whenNotMatched().insertAll().merge()
        rows.unpersist()

    def features(self, day: date) -> None:
        month = F.col("event_date").between(day - timedelta(days=29), day)
        rows = self._stored("processed").where(month)
        week = F.col("event_date") > day - timedelta(days=7)
        times = rows.groupBy("user_id", "category").count().groupBy("user_id")
        favourite = times.agg(F.min(F.struct(-F.col("count"), "category"))["category"].alias("favourite_category_30d"))
        made = rows.groupBy("user_id").agg(
            F.sum(F.when(week, F.col("purchase_amount"))).alias("spend_7d"),
            F.sum("purchase_amount").alias("spend_30d"),
            F.count(F.when(week, 1)).alias("purchases_7d"),
            F.count("*").alias("purchases_30d"),
            F.avg("purchase_amount").alias("avg_purchase_30d"),
            F.max("purchase_amount").alias("max_purchase_30d"),
            F.countDistinct("category").alias("categories_30d"),
            F.countDistinct("event_date").alias("active_days_30d"),
            F.datediff(F.lit(day), F.max("event_date")).alias("days_since_last"),
            F.avg((F.weekday("event_date") >= 5).cast("int")).alias("weekend_share_30d"),
            F.max(F.when(F.col("age").isNotNull(), F.struct("timestamp", "age")))["age"].alias("age"),
        )
        shared = {"ds": F.lit(day), "spend_share_7d": F.col("spend_7d") / F.col("spend_30d")}
        self._replace(made.join(favourite, "user_id").withColumns(shared), "features", "ds", day)

    def _replace(self, rows: DataFrame, name: str, column: str, day: date) -> None:
        writer = rows.write.format("delta").mode("overwrite").partitionBy(column)
        writer.option("replaceWhere", f"{column} = '{day}'").save(f"{self._lake}/{name}")

    def _stored(self, name: str) -> DataFrame:
        return self._spark.read.format("delta").load(f"{self._lake}/{name}")
