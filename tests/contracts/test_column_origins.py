"""Which columns a column is made from, as the contract and the transforms' code say."""

from __future__ import annotations

from pathlib import Path

import pytest

from common.contracts import datasets
from common.contracts.documents.column_origins import of_features, of_processed, of_raw
from common.contracts.documents.computed_columns import computation

COLUMNS = ("minutes", "price", "day", "tax")
CODE = """
from pyspark.sql import functions as F


def derive(rows):
    return {}
"""


@pytest.mark.parametrize(
    ("code", "reads", "words"),
    [
        ('rows.withColumn("a", F.col("day")).withColumn("cost", F.col("price") * 2)', ("price",), "F.col('price') * 2"),
        ('rows.withColumns({"a": F.col("day"), "cost": F.col("price") + rows.tax})', ("price", "tax"), None),
        (
            'rows.select("*", F.sqrt("minutes").alias("cost"), F.col("day").alias("a"))',
            ("minutes",),
            "F.sqrt('minutes')",
        ),
        ('rows.withColumn("cost", F.lit(1))', (), "F.lit(1)"),
        ('rows.withColumn("cost", F.col("cost") + F.col("tax"))', ("tax",), None),
        ('costs(rows, "price", "day")', ("day", "price"), "computed by derive"),
    ],
)
def test_code_says_what_a_column_is_computed_from(
    tmp_path: Path, code: str, reads: tuple[str, ...], words: str | None
) -> None:
    file = tmp_path / "transforms.py"
    file.write_text(CODE.format(code))
    found = computation(file, "derive", "cost", COLUMNS)
    assert found.reads == reads
    assert words is None or found.words == words


def test_a_count_comes_from_the_days_of_its_events() -> None:
    features = of_features(datasets.load("transactions"))
    for name in ("purchases_7d", "active_days_30d", "days_since_last"):
        assert (features[name].columns, features[name].kind) == (("event_date",), "AGGREGATION"), name


def test_a_ratio_comes_from_the_columns_of_both_features() -> None:
    features = of_features(datasets.load("churn"))
    assert features["monthly_to_total_ratio"].columns == ("monthly_charges", "total_charges")
    assert features["ds_month"].columns == ()
    assert of_features(datasets.load("transactions"))["spend_share_7d"].columns == ("purchase_amount",)


def test_a_typed_column_says_what_its_text_becomes() -> None:
    processed = of_processed(datasets.load("transactions"))
    assert processed["category"].words.startswith("string; lower case; one of electronics")
    assert processed["event_date"].columns == ("timestamp",)
    assert of_raw(datasets.load("transactions"))["category"].columns == ("category",)
