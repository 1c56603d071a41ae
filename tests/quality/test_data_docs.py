"""The pages of Great Expectations show values as text, whatever the values are."""

from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from common.contracts.expectations import Rule, Severity
from common.quality.gx_check import run_rules
from common.reports import gx_docs

SCRIPT = "<script>alert('in the page')</script>"


def warns(expectation: str, **arguments: object) -> Rule:
    return Rule(expectation, {"column": "category", **arguments}, Severity.WARN)


@pytest.fixture
def pages(spark: SparkSession, tmp_path: Path) -> str:
    rows = spark.createDataFrame([(SCRIPT,), (SCRIPT,), ("$category \x1b[2J",)], "category string")
    rules = [
        warns("ExpectColumnValuesToBeInSet", value_set=["food"]),
        warns("ExpectColumnDistinctValuesToBeInSet", value_set=["food"]),
        warns("ExpectColumnMostCommonValueToBeInSet", value_set=["food"]),
    ]
    first, *_ = run_rules(rows, rules, "raw_shop", str(tmp_path))
    assert SCRIPT in first.examples, "escaped for the pages alone"
    index = gx_docs.build_docs(tmp_path)
    return "\n".join(page.read_text() for page in index.parent.rglob("*.html"))


def test_a_value_runs_no_script_in_data_docs(pages: str) -> None:
    assert "in the page" in pages
    assert "<script>alert" not in pages
    assert "\x1b" not in pages
