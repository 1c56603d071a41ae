"""What is particular to mentions: pure functions of rows."""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

# From here down a text counts as negative, as the lexicon's authors advise.
NEGATIVE = "-0.05"


def derive(rows: DataFrame) -> DataFrame:
    return rows


def measure(rows: DataFrame) -> DataFrame:
    pending = F.isnull("score")
    return rows.withColumns(
        {"negative": F.col("score") <= F.lit(NEGATIVE).cast("decimal(5,4)"), "pending": pending.cast("int")}
    )
