"""A lake that version 0.1 wrote, before anything moved: three days of sales, published and pinned. It is read and continued."""

import tarfile
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from common.lake import pins
from common.orchestration import staleness
from jobs.reproduce import REPRODUCE
from tests.model.world import CONTRACT, write_dataset
from tests.support.datasets import datasets_in
from tests.support.play_lake import PlayLake
from tests.support.tables_as_text import assert_rows

STORED = Path(__file__).parent / "stored" / "lake-0.1.tar.xz"
DAYS = ("2026-01-05", "2026-01-06", "2026-01-07")
PUBLISHED = """
    ds         | user | sum_3d | sales_3d
    2026-01-05 | 1    | 22.00  | 3
    2026-01-05 | 2    | 20.00  | 1
    2026-01-06 | 1    | 31.00  | 5
    2026-01-06 | 2    | 50.00  | 2
    2026-01-07 | 1    | 71.00  | 6
    2026-01-07 | 2    | 50.00  | 2
"""


@pytest.fixture
def old(tmp_path: Path, spark: object) -> Iterator[PlayLake]:
    with tarfile.open(STORED) as archive:
        archive.extractall(tmp_path, filter="data")
    whole_number = 'type="long", minimum=0, maximum=9999'
    assert whole_number in CONTRACT
    write_dataset(tmp_path / "datasets", CONTRACT.replace(whole_number, 'type="decimal(8,2)", minimum=0'))
    with datasets_in(tmp_path / "datasets"):
        yield PlayLake(tmp_path, "sales")


def stale(lake: PlayLake) -> list[str]:
    return [str(day) for day in staleness.all_stale("sales", lake.plan("ask", DAYS[0]).settings)]


def contents(lake: PlayLake) -> dict[str, list[str]]:
    """All rows of the tables of rows, without the record's hash, which has another rule since."""
    kinds = ("raw", "processed", "superseded", "quarantine")
    rows = {kind: [{**row, "record_hash": "", "run_id": ""} for row in lake.rows(kind)] for kind in kinds}
    return {kind: sorted(map(str, rows[kind])) for kind in kinds}


def test_what_it_published_is_read_verified_and_reproduced(old: PlayLake) -> None:
    assert_rows(old.rows("published", path="published/sales/v1"), PUBLISHED)
    pins.verify(str(old.lake_folder), "first_model")
    for ds in DAYS:
        assert old.run(REPRODUCE, ds)["outcome"] == "done"


def test_its_days_are_looked_at_once_and_stay_as_they_are(old: PlayLake) -> None:
    """Its commits do not name their sources, so nobody can know that the days are up to date."""
    before = contents(old)
    assert stale(old) == [*DAYS]
    for _ in range(2):
        for ds in DAYS:
            old.ingest(ds)
            old.clean(ds)
        for ds in DAYS:
            assert "left_out" not in old.features(ds)
            old.publish(ds)
    assert stale(old) == []
    assert contents(old) == before
    assert_rows(old.rows("published", path="published/sales/v1"), PUBLISHED)


def test_its_next_day_goes_on_from_its_rows(old: PlayLake) -> None:
    """The window holds days whose verdicts lie in files, as 0.1 kept them."""
    text = "key,user,amount,time\ne,2,31,2026-01-06T02:00:00Z\nj,1,1,2026-01-08T01:00:00Z\n"
    old.land_bytes("2026-01-08", text.encode())
    line = old.day("2026-01-08")
    assert "left_out" not in line["features"]
    assert line["clean"]["counts"]["late"] == 1
    rows = old.rows("features", f"ds = '{date(2026, 1, 8)}'", "features/sales/v1")
    assert_rows(rows, "user | sum_3d | sales_3d\n1 | 45.00 | 3\n2 | 31.00 | 1")
