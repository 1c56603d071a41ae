"""A number is exactly the one that its text says, or the record is refused."""

import random
import re
from decimal import Decimal

import pytest
from pyspark.sql import SparkSession

from common.clean.casting import trimmed, typed
from common.contracts.column import Column
from common.errors import ContractDeclarationError

NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")


def values(spark: SparkSession, texts: list[str], type_: str, **format_: object) -> dict[str, object]:
    column = Column(name="n", type=type_, description="A number.", **format_)  # type: ignore[arg-type]
    rows = spark.createDataFrame([(text,) for text in texts], "_sent_n string").repartition(1)
    value = rows.withColumn("_text_n", trimmed(column)).select("_sent_n", typed(column, "UTC").alias("n"))
    return {row["_sent_n"]: row["n"] for row in value.collect()}


def exact(text: str) -> Decimal | None:
    """The model: what a decimal(10,2) makes of a text."""
    if not NUMBER.fullmatch(text.strip()):
        return None
    value = Decimal(text.strip())
    if not -20 < value.adjusted() < 8:  # also a zero with an absurd exponent
        return None
    return value if value == round(value, 2) else None


def numbers(count: int) -> list[str]:
    rng = random.Random(5)
    digits = ["0", "1", "5", "10", "007", "99999999", "1" * 30, ""]
    fractions = ["", ".", ".5", ".50", ".05", ".005", ".10000000000000000001", ".2" + "0" * 30, "." + "0" * 19 + "1"]
    powers = ["", "", "e0", "e1", "E-1", "e+2", "e-19", "e8", "e400", "e-400", "e-9999999999"]
    return [
        rng.choice(["", "-", "+"]) + rng.choice(digits) + rng.choice(fractions) + rng.choice(powers)
        for _ in range(count)
    ]


def test_a_decimal_is_exact_or_refused(spark: SparkSession) -> None:
    named = [
        "10.0000000000000000001",
        "-1e-19",
        "1e-400",
        "1e400",
        "0e-400",
        "1e2",
        "12,5",
        "١٢.٥٠",
        "１２",
        "NaN",
        "0x1",
    ]
    texts = sorted({*named, *numbers(400)})
    assert values(spark, texts, "decimal(10,2)") == {text: exact(text) for text in texts}


@pytest.mark.parametrize("type_", ["int", "long", "double", "decimal(10,2)"])
def test_only_ascii_digits_are_numbers(spark: SparkSession, type_: str) -> None:
    found = values(spark, ["12", "١٢", "１２", "1٢"], type_)
    assert {text for text, value in found.items() if value is not None} == {"12"}


def test_a_double_that_vanishes_is_refused(spark: SparkSession) -> None:
    found = values(spark, ["1e-400", "1e-300", "0", "-0.0e5", "1e400"], "double")
    assert found == {"1e-400": None, "1e-300": 1e-300, "0": 0.0, "-0.0e5": 0.0, "1e400": None}


def test_a_declared_format_is_the_only_one(spark: SparkSession) -> None:
    texts = ["1.234,50", "-12,5", "1234", "1.234.567", "12.5", "1.23,5", "1,2,3", "1.2345", "12,5e1"]
    assert values(spark, texts, "decimal(10,2)", decimal=",", thousands=".") == {
        "1.234,50": Decimal("1234.50"),
        "-12,5": Decimal("-12.50"),
        "1234": Decimal("1234.00"),
        "1.234.567": Decimal("1234567.00"),
        "12,5e1": Decimal("125.00"),
        "12.5": None,
        "1.23,5": None,
        "1,2,3": None,
        "1.2345": None,
    }
    assert values(spark, ["1 234", "1234,5"], "double", decimal=",", thousands=" ") == {
        "1 234": 1234.0,
        "1234,5": 1234.5,
    }


def test_a_whole_number_may_be_written_as_a_float(spark: SparkSession) -> None:
    texts = ["17850.0", "17850", "-3.", "17850.5", "1e3"]
    assert values(spark, texts, "long", integral=True) == {
        "17850.0": 17850,
        "17850": 17850,
        "-3.": -3,
        "17850.5": None,
        "1e3": None,
    }
    assert values(spark, ["17850.0"], "long") == {"17850.0": None}


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"type": "string", "decimal": ","}, "are for numbers"),
        ({"type": "double", "decimal": ";"}, "decimal ';' is unknown"),
        ({"type": "double", "decimal": ",", "thousands": ","}, "not decimal's"),
        ({"type": "double", "integral": True}, "integral is for int and long"),
    ],
)
def test_a_contradictory_number_format_is_refused(fields: dict[str, object], problem: str) -> None:
    with pytest.raises(ContractDeclarationError, match=problem):
        Column(name="n", description="A number.", **fields)  # type: ignore[arg-type]
