"""Whether a day is up to date follows from the tables alone: whatever was killed, raced, moved or cleared away."""

import shutil
from dataclasses import replace
from datetime import date

import pytest
from deltalake import DeltaTable

from common.orchestration import staleness
from common.runtime.run import Outcome, Run
from jobs.features import FEATURES
from tests.support.play_lake import PlayLake
from tests.support.tables_as_text import assert_rows

FIRST, SECOND = "2026-01-05", "2026-01-06"


def stale(lake: PlayLake) -> list[str]:
    settings = lake.plan("ask", FIRST).settings
    return [str(day) for day in staleness.all_stale(lake.dataset, settings)]


def test_a_clean_killed_at_its_end_still_names_the_stale_day(two_made: PlayLake) -> None:
    assert stale(two_made) == []
    two_made.land(FIRST, "transaction_id\na\nc")
    two_made.ingest(FIRST)
    two_made.clean(FIRST)
    shutil.rmtree(two_made.lake_folder / "runs")  # as if the run had never been filed
    line = two_made.clean(FIRST)
    assert (line["outcome"], line["stale"]) == ("nothing", [FIRST, SECOND])
    assert line["counts"]["accepted"] == 2
    for ds in (FIRST, SECOND):
        two_made.day(ds)
    assert (two_made.clean(FIRST)["stale"], stale(two_made)) == ([], [])


def test_features_made_while_an_earlier_day_is_cleaned_are_stale(two_cleaned: PlayLake) -> None:
    """They read the tables as they were at their start, and their commit says so."""
    two_cleaned.land(FIRST, "transaction_id\na\nc")
    two_cleaned.ingest(FIRST)

    def meanwhile(run: Run) -> Outcome:
        two_cleaned.clean(FIRST)
        return FEATURES.main(run)

    assert two_cleaned.run(replace(FEATURES, main=meanwhile), SECOND)["stale"] == [SECOND]
    assert stale(two_cleaned) == [SECOND]
    assert two_cleaned.features(SECOND)["outcome"] == "done"
    assert stale(two_cleaned) == []
    assert_rows(two_cleaned.feature_rows(SECOND), "purchases_7d\n3")
    assert two_cleaned.features(SECOND)["outcome"] == "nothing"


@pytest.mark.parametrize("kind", ["raw", "processed", pytest.param("superseded", marks=pytest.mark.slow)])
def test_days_are_made_again_when_a_table_was_moved_away(two_made: PlayLake, kind: str) -> None:
    before = {ds: two_made.feature_rows(ds) for ds in (FIRST, SECOND)}
    shutil.move(two_made.lake_folder / kind / two_made.dataset, two_made.root / "aside")
    assert stale(two_made) == [FIRST, SECOND]
    for ds in (FIRST, SECOND):
        if kind == "raw":
            assert two_made.ingest(ds)["outcome"] == "done"
        assert two_made.clean(ds)["outcome"] == "done"
        two_made.features(ds)
    assert {ds: two_made.feature_rows(ds) for ds in (FIRST, SECOND)} == before
    assert stale(two_made) == []


def test_a_day_is_looked_at_again_when_its_source_log_is_gone(two_made: PlayLake) -> None:
    """The log no longer says whether the rows have moved."""
    two_made.land("2026-01-07", "transaction_id\nc")
    two_made.ingest("2026-01-07")
    two_made.clean("2026-01-07")
    folder = two_made.lake_folder / "processed" / two_made.dataset
    table = DeltaTable(str(folder))
    table.create_checkpoint()
    for version in range(table.version()):
        (folder / "_delta_log" / f"{version:020}.json").unlink(missing_ok=True)
    assert FIRST in stale(two_made)
    before = two_made.feature_rows(FIRST)
    two_made.clean(FIRST)
    two_made.features(FIRST)
    assert FIRST not in stale(two_made)
    assert two_made.feature_rows(FIRST) == before


def test_a_day_whose_rows_stay_the_same_is_looked_at_once(two_made: PlayLake) -> None:
    """Its commit without rows says what it was made from; what is made of it stays up to date."""
    two_made.land(FIRST, "transaction_id\na\na")
    for job in (two_made.ingest, two_made.clean):
        job(FIRST)
    assert stale(two_made) == []
    assert two_made.clean(FIRST)["outcome"] == "nothing"
    files = two_made.state()
    for ds in (FIRST, SECOND):
        assert two_made.features(ds)["outcome"] == "nothing"
    assert two_made.state() == files


def test_the_state_of_a_day_says_its_sources(two_made: PlayLake) -> None:
    state = staleness.state_of(staleness.stages.FEATURES, two_made.plan("ask", SECOND))
    assert state is not None
    for path in (f"processed/{two_made.dataset}", f"superseded/{two_made.dataset}"):
        stored = two_made.table(path)
        assert state.facts["sources"][path] == stored.version()
        assert state.facts["source_ids"][path] == str(stored.metadata().id)
    assert state.facts["ds"] == str(date.fromisoformat(SECOND))
