"""Whether a day is up to date follows from the tables alone: whatever was killed, raced, moved or cleared away."""

import shutil
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from deltalake import DeltaTable

from common.orchestration import staleness
from common.runtime.run import Outcome, Run
from jobs.features import FEATURES
from tests.support.play_lake import PlayLake
from tests.support.tables_as_text import assert_rows

FIRST, SECOND = "2026-01-05", "2026-01-06"


@pytest.fixture(scope="module")
def ran_once(tmp_path_factory: pytest.TempPathFactory, spark: object) -> PlayLake:
    lake = PlayLake(tmp_path_factory.mktemp("two-days"))
    lake.land(FIRST, "transaction_id\na")
    lake.land(SECOND, "transaction_id\nb")
    for ds in (FIRST, SECOND):
        lake.day(ds)
    return lake


@pytest.fixture
def two_days(ran_once: PlayLake, tmp_path: Path) -> PlayLake:
    return ran_once.copied(tmp_path)


def stale(lake: PlayLake) -> list[str]:
    settings = lake.plan("ask", FIRST).settings
    return [str(day) for day in staleness.all_stale(lake.dataset, settings)]


def test_a_clean_killed_at_its_end_still_names_the_stale_day(two_days: PlayLake) -> None:
    assert stale(two_days) == []
    two_days.land(FIRST, "transaction_id\na\nc")
    two_days.ingest(FIRST)
    two_days.clean(FIRST)
    shutil.rmtree(two_days.lake_folder / "runs")  # as if the run had never been filed
    line = two_days.clean(FIRST)
    assert (line["outcome"], line["stale"]) == ("nothing", [FIRST, SECOND])
    assert line["counts"]["accepted"] == 2
    for ds in (FIRST, SECOND):
        two_days.day(ds)
    assert (two_days.clean(FIRST)["stale"], stale(two_days)) == ([], [])


def test_features_made_while_an_earlier_day_is_cleaned_are_stale(lake: PlayLake) -> None:
    """They read the tables as they were at their start, and their commit says so."""
    for ds, name in ((FIRST, "a"), (SECOND, "b")):
        lake.land(ds, f"transaction_id\n{name}")
        lake.ingest(ds)
        lake.clean(ds)
    lake.land(FIRST, "transaction_id\na\nc")
    lake.ingest(FIRST)

    def meanwhile(run: Run) -> Outcome:
        lake.clean(FIRST)
        return FEATURES.main(run)

    assert lake.run(replace(FEATURES, main=meanwhile), SECOND)["stale"] == [SECOND]
    assert stale(lake) == [SECOND]
    assert lake.features(SECOND)["outcome"] == "done"
    assert stale(lake) == []
    assert_rows(lake.feature_rows(SECOND), "purchases_7d\n3")
    assert lake.features(SECOND)["outcome"] == "nothing"


@pytest.mark.parametrize("kind", ["raw", "processed", "superseded"])
def test_days_are_made_again_when_a_table_was_moved_away(two_days: PlayLake, kind: str) -> None:
    before = {ds: two_days.feature_rows(ds) for ds in (FIRST, SECOND)}
    shutil.move(two_days.lake_folder / kind / two_days.dataset, two_days.root / "aside")
    assert stale(two_days) == [FIRST, SECOND]
    for ds in (FIRST, SECOND):
        if kind == "raw":
            assert two_days.ingest(ds)["outcome"] == "done"
        assert two_days.clean(ds)["outcome"] == "done"
        two_days.features(ds)
    assert {ds: two_days.feature_rows(ds) for ds in (FIRST, SECOND)} == before
    assert stale(two_days) == []


def test_a_day_is_looked_at_again_when_its_source_log_is_gone(two_days: PlayLake) -> None:
    """The log no longer says whether the rows have moved."""
    two_days.land("2026-01-07", "transaction_id\nc")
    two_days.day("2026-01-07")
    folder = two_days.lake_folder / "processed" / two_days.dataset
    table = DeltaTable(str(folder))
    table.create_checkpoint()
    for version in range(table.version()):
        (folder / "_delta_log" / f"{version:020}.json").unlink(missing_ok=True)
    assert FIRST in stale(two_days)
    before = two_days.feature_rows(FIRST)
    two_days.clean(FIRST)
    two_days.features(FIRST)
    assert FIRST not in stale(two_days)
    assert two_days.feature_rows(FIRST) == before


def test_a_day_whose_rows_stay_the_same_is_looked_at_once(two_days: PlayLake) -> None:
    """Its commit without rows says what it was made from; what is made of it stays up to date."""
    two_days.land(FIRST, "transaction_id\na\na")
    for job in (two_days.ingest, two_days.clean):
        job(FIRST)
    assert stale(two_days) == []
    assert two_days.clean(FIRST)["outcome"] == "nothing"
    files = two_days.state()
    for ds in (FIRST, SECOND):
        assert two_days.features(ds)["outcome"] == "nothing"
    assert two_days.state() == files


def test_the_state_of_a_day_says_its_sources(two_days: PlayLake) -> None:
    state = staleness.state_of(staleness.stages.FEATURES, two_days.plan("ask", SECOND))
    assert state is not None
    for path in (f"processed/{two_days.dataset}", f"superseded/{two_days.dataset}"):
        stored = two_days.table(path)
        assert state.facts["sources"][path] == stored.version()
        assert state.facts["source_ids"][path] == str(stored.metadata().id)
    assert state.facts["ds"] == str(date.fromisoformat(SECOND))
