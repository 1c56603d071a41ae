"""The same day as most people would write it first: default session, inferred schema, one count per check.

`straightforward.py LANDING LAKE DS STEP[,STEP]`, one spark-submit a step, as the pipeline's own jobs are.
"""

import sys
from datetime import date, timedelta

from delta.tables import DeltaTable
from pyspark.sql import DataFrame, SparkSession, Window
from pyspark.sql import functions as F

landing, lake, ds, step = sys.argv[1:5]
spark = (
    SparkSession.builder.appName(step)
    .config("spark.sql.extensions", "io.delta.sql.DeltaSparkSessionExtension")
    .config("spark.sql.catalog.spark_catalog", "org.apache.spark.sql.delta.catalog.DeltaCatalog")
    .config("spark.sql.session.timeZone", "UTC")
    .getOrCreate()
)
CATEGORIES = ["electronics", "clothing", "home", "food", "sports"]
PAYMENTS = ["card", "paypal", "cash", "transfer"]


def upsert(rows: DataFrame, path: str, day: str, key: list[str]) -> None:
    if not DeltaTable.isDeltaTable(spark, path):
        rows.write.format("delta").partitionBy(day).save(path)
        return
    same = " AND ".join(f"t.{name} = s.{name}" for name in [day, *key])
    merge = DeltaTable.forPath(spark, path).alias("t").merge(rows.alias("s"), same)
    merge.whenMatchedUpdateAll().whenNotMatchedInsertAll().execute()


def ingest() -> None:
    rows = spark.read.csv(f"{landing}/transactions/ds={ds}", header=True, inferSchema=True)
    rows = rows.withColumn("ds", F.lit(ds).cast("date")).withColumn(
        "row_hash", F.sha2(F.concat_ws("|", *rows.columns), 256)
    )
    upsert(rows.dropDuplicates(["row_hash"]), f"{lake}/raw", "ds", ["row_hash"])
    print(spark.read.format("delta").load(f"{lake}/raw").where(F.col("ds") == ds).count())


def clean() -> None:
    raw = spark.read.format("delta").load(f"{lake}/raw").where(F.col("ds") == ds)
    text = raw.select(
        [F.col(name).cast("string").alias(name) for name in raw.columns if name not in ("ds", "row_hash")]
    )
    typed = text.select(
        "transaction_id",
        F.expr("try_cast(user_id AS bigint)").alias("user_id"),
        F.expr("try_cast(age AS int)").alias("age"),
        F.expr("try_cast(purchase_amount AS decimal(12,2))").alias("purchase_amount"),
        F.expr("try_cast(timestamp AS timestamp)").alias("timestamp"),
        F.lower(F.trim("category")).alias("category"),
        F.lower(F.trim("payment_method")).alias("payment_method"),
    ).withColumn("event_date", F.to_date("timestamp"))
    oldest = date.fromisoformat(ds) - timedelta(days=7)
    good = (
        F.col("transaction_id").isNotNull()
        & F.col("user_id").isNotNull()
        & (F.col("purchase_amount") > 0)
        & (F.col("purchase_amount") <= 100000)
        & F.col("event_date").between(F.lit(oldest), F.lit(date.fromisoformat(ds)))
        & F.col("category").isin(CATEGORIES)
        & F.col("payment_method").isin(PAYMENTS)
        & (F.col("age").isNull() | F.col("age").between(0, 120))
    )
    ok, bad = typed.where(good), typed.where(~F.coalesce(good, F.lit(False)))
    latest = Window.partitionBy("transaction_id").orderBy(F.col("timestamp").desc())
    rows = ok.withColumn("place", F.row_number().over(latest)).where("place = 1").drop("place")
    print(typed.count(), ok.count(), bad.count(), rows.count())
    bad.withColumn("ds", F.lit(ds).cast("date")).write.format("delta").mode("append").save(f"{lake}/quarantine")
    upsert(rows, f"{lake}/processed", "event_date", ["transaction_id"])


def validate() -> None:
    rows = spark.read.format("delta").load(f"{lake}/processed").where(F.col("event_date") == ds)
    checks = [rows.where(F.col(name).isNull()).count() for name in rows.columns if name != "age"]
    checks.append(rows.count() - rows.select("transaction_id").distinct().count())
    checks.append(rows.where("purchase_amount <= 0 OR purchase_amount > 100000").count())
    checks.append(rows.where("age < 0 OR age > 120").count())
    checks.append(rows.where(~F.col("category").isin(CATEGORIES)).count())
    checks.append(rows.where(~F.col("payment_method").isin(PAYMENTS)).count())
    if any(checks):
        sys.exit(3)


def features() -> None:
    rows = spark.read.format("delta").load(f"{lake}/processed")
    rows = rows.where((F.col("event_date") > F.date_sub(F.lit(ds).cast("date"), 30)) & (F.col("event_date") <= ds))
    week = F.col("event_date") > F.date_sub(F.lit(ds).cast("date"), 7)
    times = rows.groupBy("user_id", "category").count()
    favourite = times.groupBy("user_id").agg(
        F.min(F.struct(-F.col("count"), "category"))["category"].alias("favourite")
    )
    made = rows.groupBy("user_id").agg(
        F.sum(F.when(week, F.col("purchase_amount"))).alias("spend_7d"),
        F.sum("purchase_amount").alias("spend_30d"),
        F.count(F.when(week, 1)).alias("purchases_7d"),
        F.count("*").alias("purchases_30d"),
        F.avg("purchase_amount").alias("avg_purchase_30d"),
        F.max("purchase_amount").alias("max_purchase_30d"),
        F.countDistinct("category").alias("categories_30d"),
        F.countDistinct("event_date").alias("active_days_30d"),
        F.datediff(F.lit(ds).cast("date"), F.max("event_date")).alias("days_since_last"),
        F.avg((F.weekday("event_date") >= 5).cast("int")).alias("weekend_share_30d"),
        F.max(F.when(F.col("age").isNotNull(), F.struct("timestamp", "age")))["age"].alias("age"),
    )
    made = made.join(favourite, "user_id").withColumn("ds", F.lit(ds).cast("date"))
    upsert(
        made.withColumn("spend_share_7d", F.col("spend_7d") / F.col("spend_30d")), f"{lake}/features", "ds", ["user_id"]
    )


def compact() -> None:
    for name, day in (("raw", "ds"), ("processed", "event_date"), ("features", "ds")):
        DeltaTable.forPath(spark, f"{lake}/{name}").optimize().where(f"{day} = '{ds}'").executeCompaction()


STEPS = {"ingest": ingest, "clean": clean, "validate": validate, "features": features, "compact": compact}
for each in step.split(","):
    STEPS[each]()
