"""Rows of one version of a table are chosen by a condition, whatever wrote its files."""

from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable, Schema

from common.lake.snapshot import open_version

ROWS = pa.table({"ds": ["2026-01-05"] * 3, "name": ["a", "b", "c"], "count": [1, 2, 3]})


def test_rows_are_chosen_by_text_in_files_of_a_merge(tmp_path: Path) -> None:
    """deltalake's merge writes texts as string views, which Arrow can't compare with a string by itself."""
    table = DeltaTable.create(str(tmp_path), Schema.from_arrow(ROWS.schema), partition_by=["ds"])
    table.merge(ROWS, "t.name = s.name", "s", "t").when_not_matched_insert_all().execute()
    stored = open_version(str(tmp_path), 1)
    for condition in (pc.field("name") == pc.scalar("b"), pc.field("name").isin(["b", "z"])):
        assert stored.read("2026-01-05", where=condition)["count"].to_pylist() == [2]
        assert stored.read("2026-01-05", ["name"], condition).to_pydict() == {"name": ["b"]}
