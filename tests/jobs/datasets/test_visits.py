"""A third dataset tests its transforms just like those of the project."""

import runpy
from pathlib import Path

from chispa import assert_df_equality
from pyspark.sql import SparkSession

from tests.support.visits import write_visits


def test_visits_derive_their_hours(spark: SparkSession, tmp_path: Path) -> None:
    transforms = runpy.run_path(str(write_visits(tmp_path) / "transforms.py"))
    rows = spark.createDataFrame([(1, 90.0), (2, None)], "visit_id long, minutes double")
    expected = spark.createDataFrame([(1, 90.0, 1.5), (2, None, None)], "visit_id long, minutes double, hours double")
    assert_df_equality(transforms["derive"](rows), expected)
