"""An entity is one text, however a source writes it: told in Python and by Spark alike, and as `clean` types it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from common.clean import casting
from common.clean.erased_rows import canonical_text
from common.contracts import datasets
from common.contracts.column import Column
from common.contracts.entity_text import canonical, entity_column
from common.errors import UsageError

NUMBER = Column(name="user", type="long", description="Who")
GERMAN = replace(NUMBER, decimal=",", thousands=".", integral=True)
TEXT = Column(name="user", type="string", description="Who")
COLUMNS = [NUMBER, replace(NUMBER, integral=True), replace(NUMBER, type="int"), GERMAN, TEXT, replace(TEXT, lower=True)]
TEXTS = [
    "7", "007", "+7", "-7", " 7\t", "7.0", "7.00", "7.5", "7,0", "1.007", "1.007,0", "10.07", "", " ", None, "\u00a07\u00a0",
    "7e0", "7 7", "\u0667", "9223372036854775807", "9223372036854775808", "2147483648", "\x0b7", "Anna", "anna ",
    "ANNA M\u00dcLLER", "c000007", "--7", "+", "0x7", "7L",
]  # fmt: skip


@pytest.mark.parametrize("column", COLUMNS, ids=lambda column: f"{column.type} {column.decimal} {column.integral}")
def test_python_spark_and_clean_read_the_same_entity(spark: SparkSession, column: Column) -> None:
    rows = spark.createDataFrame([(number, text) for number, text in enumerate(TEXTS)], "n int, _sent_user string")
    typed = rows.withColumn("_text_user", casting.trimmed(column))
    found = typed.select("n", canonical_text(column, F.col("_sent_user")), casting.typed(column, "UTC").cast("string"))
    by_spark = [(ours, cleaned) for _, ours, cleaned in sorted(map(tuple, found.collect()))]
    wanted = [canonical(column, text) for text in TEXTS]
    assert [ours for ours, _ in by_spark] == wanted
    assert [cleaned for _, cleaned in by_spark] == wanted


def test_a_derived_entity_is_refused_with_the_reason() -> None:
    contract = datasets.declared_contract("transactions")
    derived = replace(contract.column("user_id"), name="shopper")
    features = replace(contract.features, entity="shopper")
    with pytest.raises(UsageError, match="its entity shopper is derived; expected a column of the source"):
        entity_column(replace(contract, derived=(derived,), features=features))
