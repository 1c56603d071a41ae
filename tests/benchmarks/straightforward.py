"""The same day as most people would write it first: default session, inferred schema, one count per check.

`straightforward.py LANDING LAKE DS STEP[,STEP]`, one spark-submit a step, as the pipeline's own jobs are. It leaves what
the pipeline leaves: every record in raw, refused or replaced ones in tables of their own, the rules of the contract
checked, a profile of each column, and features from what was known on the day. `day.py` compares the two.
"""

import sys
from datetime import date, timedelta
from typing import Any

from delta.tables import DeltaTable
from pyspark.sql import Column, DataFrame, SparkSession, Window
from pyspark.sql import functions as F

landing, lake, ds, step = sys.argv[1:5]
spark = (
    SparkSession.builder.appName(step)
    .config("spark.sql.extensions", "io.delta.sql.DeltaSparkSessionExtension")
    .config("spark.sql.catalog.spark_catalog", "org.apache.spark.sql.delta.catalog.DeltaCatalog")
    .config("spark.sql.session.timeZone", "UTC")
    .getOrCreate()
)
TODAY = date.fromisoformat(ds)
LATENESS = 7
CATEGORIES = ["electronics", "clothing", "home", "food", "sports"]
PAYMENTS = ["card", "paypal", "cash", "transfer"]
REQUIRED = ["transaction_id", "user_id", "purchase_amount", "timestamp", "category", "payment_method"]
FIELDS = [*REQUIRED, "age"]
PROFILE = (
    "column string, rows long, known long, distinct long, smallest string, largest string, mean double, deviation double, "
    "quantiles array<double>, top array<struct<value: string, count: long>>"
)


def stored(name: str) -> DataFrame:
    return spark.read.format("delta").load(f"{lake}/{name}")


def there(name: str) -> bool:
    return bool(DeltaTable.isDeltaTable(spark, f"{lake}/{name}"))


def upsert(rows: DataFrame, name: str, day: str, key: list[str]) -> None:
    if not there(name):
        rows.write.format("delta").partitionBy(day).save(f"{lake}/{name}")
        return
    same = " AND ".join(f"t.{column} = s.{column}" for column in [day, *key])
    merge = DeltaTable.forPath(spark, f"{lake}/{name}").alias("t").merge(rows.alias("s"), same)
    merge.whenMatchedUpdateAll().whenNotMatchedInsertAll().execute()


def quarantine(rows: DataFrame, job: str) -> None:
    named = rows.withColumns({"ds": F.lit(TODAY), "job": F.lit(job), "record_hash": F.md5("record")})
    upsert(named, "quarantine", "ds", ["job", "file", "record_hash"])


def ingest() -> None:
    files = f"{landing}/transactions/ds={ds}"
    schema = spark.read.csv(files, header=True, inferSchema=True).schema.add("unreadable", "string")
    reader = spark.read.schema(schema).option("columnNameOfCorruptRecord", "unreadable")
    rows = reader.csv(files, header=True).withColumn("file", F.col("_metadata.file_name")).cache()
    good, bad = rows.where("unreadable IS NULL").drop("unreadable"), rows.where("unreadable IS NOT NULL")
    print(rows.count(), good.count(), bad.count())
    told = bad.groupBy("file", F.col("unreadable").alias("record")).agg(F.count("*").alias("copies"))
    quarantine(told.withColumn("reasons", F.array(F.lit("unreadable"))), "ingest")
    hashed = good.withColumn(
        "record_hash", F.sha2(F.concat_ws("|", *[F.coalesce(F.col(f).cast("string"), F.lit("")) for f in FIELDS]), 256)
    )
    each = hashed.groupBy("file", "record_hash", *FIELDS).agg(F.count("*").alias("copies"))
    upsert(each.withColumn("ds", F.lit(TODAY)), "raw", "ds", ["file", "record_hash"])


def typed(raw: DataFrame) -> DataFrame:
    text = {name: F.trim(F.col(name).cast("string")) for name in FIELDS}
    values = {
        "transaction_id": text["transaction_id"],
        "user_id": text["user_id"].try_cast("bigint"),
        "age": text["age"].try_cast("int"),
        "purchase_amount": text["purchase_amount"].try_cast("decimal(12,2)"),
        "timestamp": text["timestamp"].try_cast("timestamp"),
        "category": F.lower(text["category"]),
        "payment_method": F.lower(text["payment_method"]),
    }
    sent = F.to_json(F.struct(*FIELDS))
    rows = raw.withColumns({f"sent_{name}": F.col(name) for name in FIELDS} | {"record": sent}).withColumns(values)
    return rows.withColumn("event_date", F.to_date("timestamp"))


def refusals() -> dict[str, Column]:
    """Reason code to where it holds."""
    found = {f"{name}:missing": F.col(f"sent_{name}").isNull() for name in REQUIRED}
    for name in ("user_id", "age", "purchase_amount", "timestamp"):
        found[f"{name}:unreadable"] = F.col(f"sent_{name}").isNotNull() & F.col(name).isNull()
    return found | {
        "user_id:negative": F.col("user_id") < 0,
        "age:out_of_range": ~F.col("age").between(0, 120),
        "purchase_amount:not_over_0": F.col("purchase_amount") <= 0,
        "purchase_amount:over_100000": F.col("purchase_amount") > 100_000,
        "category:unknown": ~F.col("category").isin(CATEGORIES),
        "payment_method:unknown": ~F.col("payment_method").isin(PAYMENTS),
        "timestamp:after_ds": F.col("event_date") > F.lit(TODAY),
        "timestamp:too_old": F.col("event_date") < F.lit(TODAY - timedelta(days=LATENESS)),
    }


def clean() -> None:
    rows = typed(stored("raw").where(F.col("ds") == ds))
    reasons = F.array_compact(F.array(*[F.when(holds, F.lit(reason)) for reason, holds in refusals().items()]))
    judged = rows.withColumn("reasons", reasons).cache()
    ok, bad = judged.where("size(reasons) = 0"), judged.where("size(reasons) > 0")
    print(judged.agg(F.sum("copies")).first(), ok.count(), bad.count(), ok.where(F.col("event_date") < ds).count())
    quarantine(bad.select("file", "record", "copies", "reasons"), "clean")

    columns = ["event_date", "arrived", "record_hash", *FIELDS]
    mine = ok.withColumn("arrived", F.lit(TODAY)).select(columns).dropDuplicates(["transaction_id", "record_hash"])
    if there("processed"):
        reach = F.col("event_date") >= F.lit(TODAY - timedelta(days=LATENESS))
        known = stored("processed").where(reach & (F.col("arrived") != ds))
        mine = mine.unionByName(known.join(mine, "transaction_id", "left_semi"))
    best = Window.partitionBy("transaction_id").orderBy(
        *[F.desc(each) for each in ("timestamp", "arrived", "record_hash")]
    )
    ranked = mine.withColumn("place", F.row_number().over(best))
    current, beaten = ranked.where("place = 1").drop("place"), ranked.where("place > 1").drop("place")
    print(current.count(), beaten.count())
    upsert(beaten.withColumn("superseded", F.lit(TODAY)), "superseded", "event_date", ["transaction_id", "record_hash"])
    upsert(current, "processed", "event_date", ["transaction_id"])
    gone = ["event_date", "transaction_id", "record_hash"]
    same = " AND ".join(f"t.{name} = s.{name}" for name in gone)
    aside = stored("superseded").where(F.col("superseded") == ds)
    processed = DeltaTable.forPath(spark, f"{lake}/processed").alias("t")
    processed.merge(aside.select(gone).alias("s"), same).whenMatchedDelete().execute()


def validate() -> None:
    rows = stored("processed").where(F.col("arrived") == ds)
    number = rows.count()
    failed = [rows.where(F.col(name).isNull()).count() for name in REQUIRED]
    failed.append(number - rows.select("transaction_id").distinct().count())
    failed.append(rows.where("user_id < 0").count())
    failed.append(rows.where("age < 0 OR age > 120").count())
    failed.append(rows.where("purchase_amount <= 0 OR purchase_amount > 100000").count())
    failed.append(rows.where(~F.col("category").isin(CATEGORIES)).count())
    failed.append(rows.where(~F.col("payment_method").isin(PAYMENTS)).count())
    landed = stored("raw").where(F.col("ds") == ds).agg(F.sum("copies")).first()[0]
    refused = stored("quarantine").where(F.col("ds") == ds).agg(F.sum("copies")).first()[0]
    newest = rows.agg(F.max("timestamp")).first()[0]
    failed.append(int(refused > 0.05 * landed or landed - refused - number > 0.2 * landed or newest.date() < TODAY))
    if any(failed):
        sys.exit(3)
    profiles = [profile(rows, name, type_ in ("int", "bigint", "decimal(12,2)")) for name, type_ in rows.dtypes]
    upsert(spark.createDataFrame(profiles, PROFILE).withColumn("ds", F.lit(TODAY)), "profiles", "ds", ["column"])


def profile(rows: DataFrame, name: str, number: bool) -> tuple[Any, ...]:
    value = F.col(name)
    numeric = value.cast("double") if number else F.lit(None).cast("double")
    measured = rows.agg(
        F.count("*"),
        F.count(value),
        F.approx_count_distinct(value),
        F.min(value).cast("string"),
        F.max(value).cast("string"),
        F.avg(numeric),
        F.stddev(numeric),
        F.percentile_approx(numeric, [share / 100 for share in range(101)]),
    ).first()
    top = rows.groupBy(value.cast("string").alias("value")).count().orderBy(F.desc("count")).limit(50).collect()
    return (name, *measured, top)


def features() -> None:
    arrived = F.col("arrived") <= ds
    known = stored("processed").where(arrived)
    replaced = stored("superseded").where(arrived & (F.col("superseded") > ds)).drop("superseded")
    rows = known.unionByName(replaced)
    rows = rows.where((F.col("event_date") > F.date_sub(F.lit(TODAY), 30)) & (F.col("event_date") <= ds))
    week = F.col("event_date") > F.date_sub(F.lit(TODAY), 7)
    times = rows.groupBy("user_id", "category").count()
    favourite = times.groupBy("user_id").agg(
        F.min(F.struct(-F.col("count"), "category"))["category"].alias("favourite_category_30d")
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
        F.datediff(F.lit(TODAY), F.max("event_date")).alias("days_since_last"),
        F.avg((F.weekday("event_date") >= 5).cast("int")).alias("weekend_share_30d"),
        F.max(F.when(F.col("age").isNotNull(), F.struct("timestamp", "age")))["age"].alias("age"),
    )
    made = made.join(favourite, "user_id").withColumns(
        {"ds": F.lit(TODAY), "spend_share_7d": F.col("spend_7d") / F.col("spend_30d")}
    )
    upsert(made, "features", "ds", ["user_id"])
    print(stored("features").where(F.col("ds") == ds).count())


def compact() -> None:
    days = {"raw": "ds", "quarantine": "ds", "processed": "event_date", "superseded": "event_date", "features": "ds"}
    for name, day in days.items():
        DeltaTable.forPath(spark, f"{lake}/{name}").optimize().where(f"{day} = '{ds}'").executeCompaction()


STEPS = {"ingest": ingest, "clean": clean, "validate": validate, "features": features, "compact": compact}
for each in step.split(","):
    STEPS[each]()
