"""What the search of an erasure finds in a file."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from common.contracts.column import Column
from common.erasure.person import Person
from common.erasure.proof import Search, look

ERASED = Person(Column(name="user_id", type="string", description="Who"), "c-0001")


@pytest.mark.parametrize(
    ("columns", "holds"),
    [
        ({"user_id": ["c-0001-b", "c-00010"], "note": ["fine", "fine"]}, []),
        ({"user_id": ["c-0001-b", "c-0001"], "note": ["fine", "fine"]}, ["rows", "values that name it"]),
        ({"user_id": ["c-0001-b", "c-00010"], "note": ["fine", "told by c-0001"]}, ["values that name it"]),
        ({"note": ["fine", "told by c-0001"]}, ["rows", "values that name it"]),
    ],
    ids=["a longer name", "its own row", "a note of another", "a table without entities"],
)
def test_a_longer_name_is_somebody_else(tmp_path: Path, columns: dict[str, list[str]], holds: list[str]) -> None:
    pq.write_table(pa.table(columns), tmp_path / "part.parquet")
    done = Search()
    look(done, str(tmp_path / "part.parquet"), "processed/visits/part.parquet", ERASED)
    assert [found["holds"] for found in done.found] == holds
