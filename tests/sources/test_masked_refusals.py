"""A file that is refused for its header shows none of its values where the contract has personal data."""

from dataclasses import replace
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from common.contracts import datasets
from common.contracts.contract import Contract
from common.sources.files.landing import Landing
from tests.support.landing import judged

PURCHASES = datasets.load("transactions").contract
PERSONAL = replace(PURCHASES, columns=tuple(replace(each, sensitive=each.name == "age") for each in PURCHASES.columns))
DAY = date(2026, 1, 5)
RECORDS = {
    "no header": "t1,1,Ann Example,10.00,2026-01-05T10:00:00Z,food,card\n",
    "the same twice": "Ann Example,Ann Example\n",
    "broken quoting": '"Ann Example"x,1\n',
}


def problem(contract: Contract, root: Path) -> str:
    (unit,) = judged(Landing(contract, str(root), DAY)).bad
    return unit.refused


def land(root: Path, name: str) -> Path:
    folder = root / PURCHASES.name / f"ds={DAY}"
    folder.mkdir(parents=True)
    return folder / name


@pytest.mark.parametrize("record", RECORDS.values(), ids=RECORDS)
def test_a_record_in_place_of_a_header_is_masked(tmp_path: Path, record: str) -> None:
    land(tmp_path, "part.csv").write_text(record)
    assert "Ann Example" in problem(PURCHASES, tmp_path), "nothing is declared as sensitive"
    assert "Ann Example" not in problem(PERSONAL, tmp_path)
    assert "(masked)" in problem(PERSONAL, tmp_path)


def test_parquet_is_masked_as_text_is(tmp_path: Path) -> None:
    pq.write_table(pa.table({"Ann Example": ["1"]}), land(tmp_path, "part.parquet"))
    assert "Ann Example" not in problem(PERSONAL, tmp_path)


def test_a_first_line_of_json_is_masked(tmp_path: Path) -> None:
    land(tmp_path, "part.jsonl").write_text('["Ann Example"]\n')
    assert "Ann Example" in problem(PURCHASES, tmp_path)
    assert "Ann Example" not in problem(PERSONAL, tmp_path)


def test_the_names_of_declared_columns_are_shown(tmp_path: Path) -> None:
    land(tmp_path, "part.csv").write_text("Transaction_ID, age,email\n")
    assert "found ['Transaction_ID', 'age', '(masked)']" in problem(PERSONAL, tmp_path)
