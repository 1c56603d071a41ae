"""A condition is one text, which Spark, deltalake and DuckDB read alike."""

from datetime import date
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake
from pyspark.sql import SparkSession

from common.days import Hour
from common.lake.sql_conditions import Slice, in_slice, literal

ROWS = pa.table(
    {
        "day": [date(2026, 1, 5), date(2026, 1, 5), date(2026, 1, 6)],
        "hour": ["2026-01-05T09", "2026-01-05T10", "2026-01-06T09"],
        "version": pa.array([1, 2, 1], pa.int64()),
        "order": ["processed", "raw", "processed"],
    }
)


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ({"day": [date(2026, 1, 5)]}, 2),
        ({"day": [date(2026, 1, 5), date(2026, 1, 6)], "order": ["raw"]}, 1),
        ({"hour": [Hour(2026, 1, 5, 9), Hour(2026, 1, 6, 9)]}, 2),
        ({"version": [1], "order": ["processed", "features"]}, 2),
    ],
)
def test_all_engines_find_the_same_rows(spark: SparkSession, tmp_path: Path, where: Slice, expected: int) -> None:
    condition = in_slice(where)
    assert spark.createDataFrame(ROWS).where(condition).count() == expected
    with duckdb.connect() as connection:
        connection.register("rows_", ROWS)
        standard = condition.replace("`", '"')
        found = connection.execute(f"SELECT count(*) FROM rows_ WHERE {standard}").fetchone()
    assert found == (expected,)
    write_deltalake(str(tmp_path), ROWS)
    DeltaTable(str(tmp_path)).delete(condition)
    assert len(DeltaTable(str(tmp_path)).to_pyarrow_table()) == len(ROWS) - expected


@pytest.mark.parametrize("text", ["it's", "a\\", 'a"', "a`b", "a\nb", "é"])
def test_a_text_that_could_end_the_literal_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected a period or a declared name"):
        literal(text)
