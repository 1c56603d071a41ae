"""Does on a small scale what a job does, so that the class archive holds the classes that jobs load."""

import sys

from pyspark.sql import Observation, Window
from pyspark.sql import functions as F

from common.lake.sql_conditions import path_table
from common.runtime.session import open_session
from common.runtime.settings import load_settings

spark = open_session(load_settings("local"), "warm-up")
table = f"{sys.argv[1]}/table"
rows = spark.range(1000).select("id", F.current_date().alias("ds"), F.col("id").cast("string").alias("text"))
rows.filter("id < 500").write.format("delta").partitionBy("ds").save(table)
stored = path_table(table)
merge = rows.alias("s").mergeInto(stored, F.expr(f"{stored}.ds = current_date() AND {stored}.id = s.id"))
merge.whenMatched().updateAll().whenNotMatched().insertAll().merge()
spark.read.format("delta").load(table).groupBy("ds").agg(F.sum("id"), F.max(F.struct("id", "text"))).collect()
ranked = F.row_number().over(Window.partitionBy("ds").orderBy("text"))
amount = F.when(F.col("text").rlike(r"^\d+$"), F.col("text").try_cast("decimal(12,2)"))
judged = rows.select(
    "id", "ds", amount.alias("amount"), F.to_json(F.struct("text")).alias("said"), ranked.alias("place")
)
judged = judged.mapInArrow(lambda batches: batches, judged.schema).observe(
    Observation(), F.count_if(F.col("amount") > 5)
)
judged = judged.repartition(2, "id").localCheckpoint()
judged.join(F.broadcast(rows.where("id % 7 = 0")), ["id", "ds"], "left_anti").groupBy("said").agg(
    F.sort_array(F.collect_list("amount")), F.percentile_approx("amount", [0.5]), F.approx_count_distinct("id")
).collect()
spark.stop()
