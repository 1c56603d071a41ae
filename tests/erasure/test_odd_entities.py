"""Entities whose names hold signs that mean something elsewhere, or begin with another entity's name."""

from __future__ import annotations

import csv
import io
import shutil
from datetime import date
from pathlib import Path

import pytest

from jobs.datasets.churn import sample
from tests.support.erasing import FIRST, run_erase
from tests.support.play_lake import PlayLake

NAMES = ("c-0001", "c-0001-b", "O'Neil 07", 'say "x1"', "50%_of*?[1]", "Jürgen№5 雪", "a\\n1b2;--", "../up/000")
TABLES = ("raw/churn", "processed/churn", "features/churn/v1", "published/churn/v1")


def customers() -> bytes:
    rows = [*sample.generate(date.fromisoformat(FIRST), 60, 7, dirt=False)[0]]
    place = sample.COLUMNS.index("customer_id")
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(sample.COLUMNS)
    names = [*NAMES, *(row[place] for row in rows[len(NAMES) :])]
    writer.writerows([*row[:place], name, *row[place + 1 :]] for row, name in zip(rows, names, strict=True))
    return text.getvalue().encode()


@pytest.fixture(scope="module")
def once(tmp_path_factory: pytest.TempPathFactory, spark: object) -> Path:
    lake = PlayLake(tmp_path_factory.mktemp("odd"), "churn")
    lake.land_bytes(FIRST, customers())
    lake.day(FIRST)
    lake.publish(FIRST)
    assert {row["customer_id"] for row in lake.rows("published", path=TABLES[-1])} >= {*NAMES}
    return lake.root


@pytest.mark.parametrize("name", NAMES)
def test_a_name_of_odd_signs_is_that_entity_alone(once: Path, tmp_path: Path, name: str) -> None:
    shutil.copytree(once, tmp_path, dirs_exist_ok=True)
    lake = PlayLake(tmp_path, "churn")
    before = {table: ids(lake, table) for table in TABLES}
    line = run_erase(lake, name)
    assert (line["outcome"], line["searched"]["found"]) == ("done", 0)
    assert {table: ids(lake, table) for table in TABLES} == {table: before[table] - {name} for table in TABLES}
    assert run_erase(lake, name)["outcome"] == "nothing"


def ids(lake: PlayLake, table: str) -> set[str]:
    return {*lake.table(table).to_pyarrow_table().column("customer_id").to_pylist()}
