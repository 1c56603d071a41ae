"""A lake that version 0.1 wrote, before anything moved, is read and continued.

It holds three days of sales, published and pinned, a training set of labels, and an online store.
"""

import tarfile
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from common.lake import pins
from common.lake.training_manifests import manifest
from common.online import serving
from common.online.connect import open_store
from common.orchestration import staleness
from common.training import build, store
from common.training.training_set import declared_training_set
from jobs.online_check import ONLINE_CHECK
from jobs.publish import ONLINE
from jobs.reproduce import REPRODUCE
from tests.model.world import CONTRACT, write_sales
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
TRAINING = """
from datetime import date

from common.training.steps import Impute, MinMax
from common.training.training_set import From, Labels, Split, TrainingSet

TRAINING_SETS = (
    TrainingSet(
        name="returns",
        description="Whether a buyer comes back",
        examples=Labels(entity="user", time="time", label="returned"),
        split=Split(train_until=date(2026, 1, 7), val_until=date(2026, 1, 7)),
        features=(From(table="sales@v1"),),
        steps=(Impute("sum_3d", by="median", group="sales_3d"), MinMax("sum_3d"), MinMax("sales_3d")),
    ),
)
"""
# Each label's row of the day before it, scaled by the least and the most of the four rows before January 8th.
SCALED = {
    "train": """
    user | returned | sum_3d              | sales_3d
    1    | 1        | 0.06666666666666667 | 0.5
    2    | 0        | 0.0                 | 0.0
    1    | 1        | 0.36666666666666664 | 1.0
    2    | 0        | 1.0                 | 0.25
    """,
    "val": "user | returned | sum_3d | sales_3d",
    "test": """
    user | returned | sum_3d | sales_3d
    1    | 0        | 1.7    | 1.25
    2    | 1        | 1.0    | 0.25
    """,
}


@pytest.fixture
def old(tmp_path: Path, spark: object) -> Iterator[PlayLake]:
    with tarfile.open(STORED) as archive:
        archive.extractall(tmp_path, filter="data")
    whole_number = 'type="long", minimum=0, maximum=9999'
    assert whole_number in CONTRACT
    write_sales(tmp_path / "datasets", CONTRACT.replace(whole_number, 'type="decimal(8,2)", minimum=0'))
    (tmp_path / "datasets" / "sales" / "training.py").write_text(TRAINING)
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


def test_its_training_set_is_read_applied_and_not_built_again(old: PlayLake) -> None:
    lake, fitted = str(old.lake_folder), store.fitted(manifest(str(old.lake_folder), "returns"))
    for split, rows in SCALED.items():
        assert_rows(store.read_split(lake, "returns", split).to_pylist(), rows)
    published = old.table("published/sales/v1").to_pyarrow_table(filters=[("ds", "=", date(2026, 1, 7))])
    assert_rows(fitted.apply(published).to_pylist(), "user | sum_3d | sales_3d\n1 | 1.7 | 1.25\n2 | 1.0 | 0.25")
    pins.verify(lake, "returns_v1_sales_v1")
    days = [old.plan("training_set", ds) for ds in ("2026-01-06", "2026-01-07", "2026-01-08")]
    declared = declared_training_set(days[0].dataset, "returns")
    again = build.build_training_set(days, declared, str(old.root / "labels.csv"))
    assert (again["outcome"], again["version"]) == ("nothing", 1)


def test_its_online_vectors_are_served_and_agree(old: PlayLake) -> None:
    fitted = serving.fitted_of(str(old.lake_folder), "returns")
    online = open_store(old.online)
    newest = {"user": 1, "ds": date(2026, 1, 7), "sum_3d": Decimal("71.00"), "sales_3d": 6}
    assert serving.Server(online, "sales_v1").vector("1") == newest
    assert serving.Server(online, "sales_v1", fitted).vector("2") == {"user": 2, "sum_3d": 1.0, "sales_3d": 0.25}
    assert old.run(ONLINE_CHECK, DAYS[-1])["counts"] == {"entities": 2, "agreeing": 2}
    # 0.1 did not say of which table it loaded the rows, so they are loaded once more.
    assert [old.run(ONLINE, DAYS[-1])["counts"]["online"] for _ in range(2)] == [2, 0]


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
