"""The online store serves the latest published row of an entity, equal to the offline row."""

import shutil
from datetime import date

import pyarrow as pa
import pytest

from common.errors import ContractViolationError, SourceMissingError
from common.lake import training_manifests
from common.online import serving
from common.online.connect import open_store
from common.reports import status
from common.training import store as training_store
from common.training.training_set import SPLITS
from jobs.online_check import ONLINE_CHECK
from jobs.publish import ONLINE, PUBLISH
from tests.support.play_lake import PlayLake
from tests.support.published_tables import date_commit, publish_rows

DAY, NEXT = "2026-01-05", "2026-01-06"


def test_online_serves_the_latest_row_and_a_rerun_loads_nothing(churn: PlayLake) -> None:
    line = churn.run(ONLINE, NEXT)
    assert line["counts"] == {"published": 0, "rows": 120, "online": 120}
    row = open_store(churn.online).get("churn_v1", "c000007")
    (offline,) = churn.published.at().arrow(ds=NEXT, entities=["c000007"]).to_pylist()
    assert row == offline
    published = churn.table("published/churn/v1").metadata()
    assert open_store(churn.online).facts("churn_v1")["table_id"] == str(published.id)
    again = churn.run(ONLINE, NEXT)
    assert (again["outcome"], again["counts"]) == ("nothing", {"published": 0, "rows": 120, "online": 0})


def test_publishing_online_first_is_a_normal_publication(churn: PlayLake) -> None:
    shutil.rmtree(churn.root / "lake" / "published")
    shutil.rmtree(churn.root / "lake" / "runs" / "churn" / "publish")
    for number, ds in enumerate((DAY, NEXT)):
        churn.run(ONLINE, ds)
        assert [list(each.days) for each in churn.published.versions()] == [[NEXT], [DAY]][1 - number :]
        assert open_store(churn.online).facts("churn_v1")["days"][1] == ds
        assert status.day_statuses(str(churn.root / "lake"), "churn")[number].count("published") == 120
    assert churn.run(PUBLISH, NEXT)["outcome"] == "nothing"


def test_an_unloaded_publication_is_reported_by_the_online_check(churn: PlayLake) -> None:
    churn.run(ONLINE, NEXT)
    other = tomorrow_published(churn)
    load = "load it: spark-submit jobs/publish.py --dataset churn --ds 2026-01-07 --online"
    with pytest.raises(
        ContractViolationError, match=rf"online churn_v1 is version 1 of .* as version {other} of .*; {load}"
    ) as old:
        churn.run(ONLINE_CHECK, NEXT)
    assert old.value.exit_code == 3


def tomorrow_published(churn: PlayLake) -> int:
    """Publishes the last day's rows for the next day as well, as another run would."""
    rows = churn.published.at().arrow(ds=NEXT)
    days = pa.array([date(2026, 1, 7)] * rows.num_rows)
    return publish_rows(churn.published, rows.set_column(0, "ds", days), "customer_id")


def test_a_rebuilt_lake_is_loaded_despite_equal_version_numbers(churn: PlayLake) -> None:
    churn.run(ONLINE, NEXT)
    date_commit(churn.published.uri, 1, "2099-01-01T00:00")
    with pytest.raises(ContractViolationError, match="is version 1 of .* as version 1 of 2099-01-01"):
        churn.run(ONLINE_CHECK, NEXT)
    assert churn.run(ONLINE, NEXT)["counts"]["online"] == 120
    assert churn.run(ONLINE_CHECK, NEXT)["counts"] == {"entities": 120, "agreeing": 120}


def test_online_differences_are_found_without_naming_a_customer(churn: PlayLake) -> None:
    churn.run(ONLINE, NEXT)
    line = churn.run(ONLINE_CHECK, NEXT)
    assert (line["counts"], line["share"]) == ({"entities": 120, "agreeing": 120}, 1.0)
    store = open_store(churn.online)
    facts = {name: value for name, value in store.facts("churn_v1").items() if name not in ("entity", "entities")}
    first = churn.published.at().batches(ds=DAY)
    store.load("churn_v1", "customer_id", first, facts)
    with pytest.raises(ContractViolationError, match=r"0.00% of 120 entities agree") as unlike:
        churn.run(ONLINE_CHECK, NEXT)
    assert unlike.value.exit_code == 3
    assert "c0000" not in str(unlike.value)


def test_a_served_vector_equals_the_training_row(trained: PlayLake) -> None:
    trained.run(ONLINE, NEXT)
    place = str(trained.lake_folder)
    manifest = training_manifests.manifest(place, "churn_baseline")
    rows = [row for split in SPLITS for row in training_store.read_split(place, "churn_baseline", split).to_pylist()]
    (wanted,) = [
        row for row in rows if row["customer_id"] == "c000007" and row["example_time"].date() == date(2026, 1, 7)
    ]
    store = open_store(trained.online)
    found = serving.Server(store, "churn_v1", training_store.fitted(manifest)).vector("c000007")
    assert found == {name: value for name, value in wanted.items() if name != "example_time"}
    with pytest.raises(SourceMissingError, match="customer_id nobody has no row"):
        serving.Server(store, "churn_v1").vector("nobody")
