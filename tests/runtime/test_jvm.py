"""The classes that PySpark names for every column and measure are looked up once."""

import pytest
from pyspark.sql import SparkSession


@pytest.mark.parametrize(
    "name",
    [
        "functions",
        "PythonSQLUtils",
        "SparkConf",
        "org.apache.spark.sql.Observation",
        "org.apache.spark.sql.classic.SparkSession",
        "org.apache.spark.sql.expressions.Window",
    ],
)
def test_a_class_that_pyspark_names_often_is_looked_up_once(spark: SparkSession, name: str) -> None:
    found = getattr(spark._jvm, name)
    assert found is getattr(spark._jvm, name)
    assert found._fqn.rpartition(".")[2] == name.rpartition(".")[2]
