"""One entity is erased from a lake that has every kind of table, and from what was made of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from common.errors import SourceMissingError, UsageError
from common.lake import content_hash, linked_copy, pins
from common.lake.training_manifests import manifest
from common.online.connect import open_store
from common.orchestration import staleness
from common.published.catalog import Lake
from common.published.export import export_rows
from common.published.reproduce import reproduce
from common.training import store
from tests.support.erasing import (
    CUSTOMER,
    FIRST,
    SECOND,
    USER,
    deliver_all,
    others,
    run_erase,
    traces,
)
from tests.support.play_lake import PlayLake

DAYS = (FIRST, SECOND)


@pytest.fixture
def sales(root: Path) -> PlayLake:
    return PlayLake(root)


@pytest.fixture
def base(root: Path, monkeypatch: pytest.MonkeyPatch) -> PlayLake:
    targets = {"files": {"kind": "parquet", "path": f"{root}/out"}, "sheets": {"kind": "csv", "path": f"{root}/csv"}}
    monkeypatch.setenv("DELIVERIES", json.dumps(targets))
    lake = PlayLake(root, "churn")
    deliver_all(lake)
    return lake


def folders(found: list[str]) -> set[str]:
    return {"/".join(path.split("/")[1:2]) if path.startswith("lake/") else path.split("/")[0] for path in found}


def test_no_file_holds_a_user_of_events_any_more(sales: PlayLake) -> None:
    before = folders(traces(sales.root, USER))
    assert before >= {"raw", "quarantine", "processed", "superseded", "partials", "features", "published", "online.db"}
    line = run_erase(sales, USER)
    assert traces(sales.root, USER) == []
    assert (line["outcome"], line["searched"]["found"]) == ("done", 0)
    assert (line["pins"], line["counts"]["online"]) == (["model_1", "refused"], 1)
    assert USER not in json.dumps(line)


def test_no_file_holds_a_customer_of_a_snapshot_any_more(base: PlayLake) -> None:
    before = folders(traces(base.root, CUSTOMER))
    assert before >= {
        "raw",
        "processed",
        "features",
        "published",
        "training_sets",
        "predictions",
        "online.db",
        "out",
        "csv",
    }
    line = run_erase(base, CUSTOMER)
    assert traces(base.root, CUSTOMER) == []
    assert (line["training_sets"], line["counts"]["delivered"]) == (["training_sets/churn_baseline/v1"], 6)


def test_other_entities_stay_in_every_version(sales: PlayLake) -> None:
    before = others(sales, "user_id", int(USER))
    run_erase(sales, USER)
    after = others(sales, "user_id", int(USER))
    assert {name: after[name] for name in before} == before


def test_a_dry_run_names_the_tables_and_changes_nothing(sales: PlayLake) -> None:
    before = {path: path.stat().st_mtime_ns for path in sales.root.rglob("*") if path.suffix != ".lock"}
    line = run_erase(sales, USER, apply=False)
    assert (line["outcome"], line["written"]) == ("planned", {})
    assert {"raw/transactions", "published/transactions/v1"} <= {*line["tables"]}
    assert {path: path.stat().st_mtime_ns for path in sales.root.rglob("*") if path.suffix != ".lock"} == before


def test_no_day_is_stale_and_nothing_is_made_again(sales: PlayLake) -> None:
    settings = sales.plan("look", FIRST).settings
    stale = staleness.all_stale("transactions", settings)
    before = {path: version for path, (version, _) in sales.state().items()}
    run_erase(sales, USER)
    assert staleness.all_stale("transactions", settings) == stale
    erased = {path: version for path, (version, _) in sales.state().items()}
    assert erased != before
    for ds in DAYS:
        assert sales.ingest(ds)["outcome"] == "nothing"
        assert sales.clean(ds)["outcome"] == "nothing"
        assert sales.features(ds)["outcome"] == "nothing"
    assert {path: version for path, (version, _) in sales.state().items()} == erased


def test_pins_publications_and_exports_tell_the_rows_that_stayed(sales: PlayLake, tmp_path: Path) -> None:
    old = pins.find(str(sales.lake_folder), "model_1")
    run_erase(sales, USER)
    new = pins.verify(str(sales.lake_folder), "model_1")
    assert (new.version, new.rows, bool(new.rehashed_at)) == (old.version, old.rows - 1, True)
    assert new.hash != old.hash
    for version in sales.published.versions():
        view = sales.published.at(version=version.version)
        exported = export_rows(view, tmp_path / "rows.parquet", {})
        assert exported.changed == []
        assert exported.rows == sum(facts["rows"] for facts in view.published.values())


def test_every_publication_can_still_be_made_again(sales: PlayLake) -> None:
    run_erase(sales, USER)
    for version in sales.published.versions():
        for ds in version.days:
            assert reproduce(sales.plan("reproduce", ds, publication=version.version)).outcome == "done"


def test_a_training_set_tells_its_splits_anew(base: PlayLake) -> None:
    lake = str(base.lake_folder)
    before = manifest(lake, "churn_baseline")
    run_erase(base, CUSTOMER)
    after = manifest(lake, "churn_baseline")
    assert sum(split["rows"] for split in before["splits"].values()) == 240
    assert sum(split["rows"] for split in after["splits"].values()) == 238
    assert (after["fitted"], len(after["erased"])) == (before["fitted"], 1)
    for split, told in after["splits"].items():
        rows = store.read_split(lake, "churn_baseline", split)
        assert content_hash.hash_rows(rows, ["customer_id", "example_time"]) == told["hash"]


def test_online_serves_the_others_alone(base: PlayLake) -> None:
    run_erase(base, CUSTOMER)
    online = open_store(base.online)
    assert online.get("churn_v1", CUSTOMER) is None
    assert online.get("churn_v1", "c000008") is not None
    assert online.facts("churn_v1")["entities"] == len([*online.rows("churn_v1")]) == 119


def test_old_landing_files_bring_nobody_back(sales: PlayLake) -> None:
    run_erase(sales, USER)
    held = sales.content()
    counts = sales.ingest(FIRST, full_refresh=True)["counts"]
    assert counts["erased"] == 4
    assert counts["landed"] == counts["accepted"] + counts["quarantined"] + counts["erased"]
    for ds in DAYS:
        for job in (sales.ingest, sales.clean, sales.features):
            job(ds, full_refresh=True)
    assert traces(sales.root, USER) == []
    # Days that run again are judged and measured again.
    told = ("verdicts/transactions", "profiles/transactions")
    assert {path: rows for path, rows in sales.content().items() if path not in told} == {
        path: rows for path, rows in held.items() if path not in told
    }


def test_the_count_of_a_files_records_is_nobody(lake: PlayLake) -> None:
    lake.land(FIRST, "transaction_id | user_id\nt1 | 3\nt2 | 4\nt3 | 5")
    lake.ingest(FIRST)
    run_erase(lake, "3")
    counts = lake.ingest(FIRST, full_refresh=True)["counts"]
    assert (counts["landed"], counts["accepted"], counts["erased"], counts["files"]) == (3, 2, 1, 1)


def test_an_erased_entity_is_known_by_a_keyed_hash_alone(sales: PlayLake) -> None:
    run_erase(sales, USER)
    (told,) = (sales.lake_folder / "erased/transactions").iterdir()
    assert len(told.stem) == 64
    salt = sales.lake_folder / "erased/salt"
    assert salt.stat().st_mode & 0o077 == 0
    salt.unlink()
    with pytest.raises(Exception, match="salt is gone, without which the 1 erased entities of transactions"):
        sales.ingest(FIRST, full_refresh=True)


def test_a_second_erasure_finds_nothing_and_says_so(sales: PlayLake) -> None:
    run_erase(sales, USER)
    state = sales.state()
    assert run_erase(sales, USER)["outcome"] == "nothing"
    assert sales.state() == state


def test_nobody_is_taken_for_somebody(sales: PlayLake) -> None:
    with pytest.raises(SourceMissingError, match="expected at least one row. Nothing was touched") as raised:
        run_erase(sales, "4210008")
    assert raised.value.exit_code == 4
    assert not (sales.lake_folder / "erased").exists()
    with pytest.raises(UsageError, match="--entity is no user_id: expected a long"):
        run_erase(sales, "anna")


def test_without_a_terminal_it_needs_a_yes(sales: PlayLake) -> None:
    from jobs.erase import erase

    def asked(**options: Any) -> None:
        erase([sales.plan("erase", SECOND, entity=USER, **options)])

    with pytest.raises(UsageError, match="nobody is there to answer; pass --yes"):
        asked(apply=True, yes=False)
    with pytest.raises(UsageError, match="expected both or neither"):
        asked(apply=False, yes=True)
    assert traces(sales.root, USER)


def test_a_trial_with_their_rows_is_removed(sales: PlayLake) -> None:
    lake = str(sales.lake_folder)
    linked_copy.link(lake, "ours", ["transactions"])
    linked_copy.link(lake, "of_others", ["churn"])
    run_erase(sales, USER)
    assert traces(sales.lake_folder, USER) == []
    assert [path.name for path in (sales.lake_folder / ".trials").iterdir()] == ["of_others"]


def test_another_dataset_is_left_alone(base: PlayLake) -> None:
    before = PlayLake(base.root).state()
    run_erase(base, CUSTOMER)
    after = PlayLake(base.root).state()
    assert {path for path in after if after[path] != before[path] and "churn" not in path} == set()
    assert Lake(str(base.lake_folder)).tables() == ["churn@v1", "transactions@v1"]
