"""Only arrivals that the gate has passed are used; a day that leaves others out says so, and is stale once they have passed."""

import logging
from dataclasses import dataclass
from datetime import date
from logging.handlers import QueueHandler
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import pytest
from deltalake import DeltaTable

from common.errors import ContractViolationError, SourceMissingError
from common.lake.log import delta_log
from common.lake.storage.files import write_json
from common.orchestration import run_log, staleness
from common.orchestration.job import Line
from common.published.lineage import explain
from jobs.clean import CLEAN
from jobs.publish import PUBLISH
from jobs.reproduce import REPRODUCE
from tests.support.play_lake import PlayLake
from tests.support.tables_as_text import assert_rows
from tests.support.verdicts import keep_verdict

FIRST, SECOND, THIRD = "2026-01-05", "2026-01-06", "2026-01-07"


def stale(lake: PlayLake) -> list[str]:
    return [str(day) for day in staleness.all_stale(lake.dataset, lake.plan("ask", FIRST).settings)]


def arrive(lake: PlayLake, ds: str, rows: str) -> None:
    """A day that was cleaned, and not validated."""
    lake.land(ds, rows)
    lake.ingest(ds)
    lake.run(CLEAN, ds)


def spent(lake: PlayLake, ds: str) -> list[Any]:
    return [(row["user_id"], row["purchases_7d"], str(row["spend_7d"])) for row in lake.feature_rows(ds)]


@pytest.fixture(scope="module")
def stopped_once(tmp_path_factory: pytest.TempPathFactory, spark: object) -> PlayLake:
    """The gate stopped the second day, which corrects the first and brings an event of its own."""
    lake = PlayLake(tmp_path_factory.mktemp("second-refused"))
    lake.land(FIRST, "transaction_id | purchase_amount\na | 10.00\nb | 20.00")
    lake.day(FIRST)
    second = f"a | 500.00 | {FIRST}T10:00:00Z | food\nc | 70.00 | {SECOND}T10:00:00Z | food\nd | 1.00 | {SECOND}T10:00:00Z | toys"
    arrive(lake, SECOND, f"transaction_id | purchase_amount | timestamp | category\n{second}")
    with pytest.raises(ContractViolationError, match="RefusedShareToBeAtMost"):
        lake.validate(SECOND)
    lake.land(THIRD, "transaction_id | purchase_amount\ne | 3.00")
    return lake


@dataclass(frozen=True)
class WentOn:
    lake: PlayLake
    line: Line
    said: list[str]


@pytest.fixture(scope="module")
def went_on(stopped_once: PlayLake, tmp_path_factory: pytest.TempPathFactory) -> WentOn:
    """The third day ran without the second."""
    lake, told = stopped_once.copied(tmp_path_factory.mktemp("went-on")), QueueHandler(SimpleQueue[logging.LogRecord]())
    logger = logging.getLogger("pipeline")
    logger.addHandler(told)
    line = lake.day(THIRD)["features"]
    logger.removeHandler(told)
    return WentOn(lake, line, [told.queue.get().getMessage() for _ in range(told.queue.qsize())])


@pytest.fixture
def second_left_out(went_on: WentOn, tmp_path: Path) -> PlayLake:
    return went_on.lake.copied(tmp_path)


def test_windows_leave_out_what_the_gate_refused(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    # Asked for by the test itself, which then fails where the third day can't run.
    went_on: WentOn = request.getfixturevalue("went_on")
    lake = went_on.lake.copied(tmp_path)
    with pytest.raises(ContractViolationError, match=r"failed its validation \(RefusedShare"):
        lake.features(SECOND)
    assert went_on.line["left_out"] == [SECOND]
    warning = f"made without the arrivals of {SECOND}, which have not passed validation"
    assert [text for text in went_on.said if warning in text]
    assert spent(lake, THIRD) == [(1, 3, "33.00")], "the first day's rows as they were, and nothing of the second"
    assert stale(lake) == []
    assert lake.features(THIRD)["left_out"] == [SECOND]


def test_days_that_left_a_day_out_are_stale_once_it_has_passed(second_left_out: PlayLake) -> None:
    lake = second_left_out
    lake.land(
        SECOND,
        f"transaction_id | purchase_amount | timestamp\na | 500.00 | {FIRST}T10:00:00Z\nc | 70.00 | {SECOND}T20:00:00Z",
    )
    lake.ingest(SECOND)
    lake.run(CLEAN, SECOND)
    assert lake.validate(SECOND)["stale"] == [THIRD]
    assert "left_out" not in lake.features(THIRD)
    assert spent(lake, THIRD) == [(1, 4, "593.00")]
    assert stale(lake) == []


def test_a_day_refused_after_features_read_it_is_taken_out_again(two_made: PlayLake) -> None:
    lake = two_made
    keep_verdict(lake, FIRST, success=False)
    assert stale(lake) == [FIRST, SECOND]
    assert lake.features(SECOND)["left_out"] == [FIRST]
    assert_rows(lake.feature_rows(SECOND), "purchases_7d\n1")
    keep_verdict(lake, FIRST)
    lake.features(SECOND)
    assert_rows(lake.feature_rows(SECOND), "purchases_7d\n2")


def test_a_day_is_not_used_before_it_is_validated(one_made: PlayLake) -> None:
    """Also one that has passed, and was cleaned again since."""
    lake = one_made
    arrive(lake, FIRST, "transaction_id\na\nb")
    with pytest.raises(SourceMissingError, match=r"not been validated since .* --table processed"):
        lake.features(FIRST)
    lake.land(SECOND, "transaction_id\nc")
    assert lake.day(SECOND)["features"]["left_out"] == [FIRST]
    assert_rows(lake.feature_rows(SECOND), "purchases_7d\n1")


def test_a_clean_that_was_killed_half_way_reaches_no_window(one_made: PlayLake) -> None:
    """Some of its rows are in the tables; the rows that they replace still count."""
    lake = one_made
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("common.clean.commits.beside", _killed)
        with pytest.raises(KeyboardInterrupt):
            arrive(
                lake,
                SECOND,
                f"transaction_id | purchase_amount | timestamp\na | 99.00 | {FIRST}T10:00:00Z\nb | 1.00 | {SECOND}T10:00:00Z",
            )
    lake.land(THIRD, "transaction_id | purchase_amount\nc | 3.00")
    assert lake.day(THIRD)["features"]["left_out"] == [SECOND]
    assert spent(lake, THIRD) == [(1, 2, "13.00")]


def _killed(*_: object) -> None:
    raise KeyboardInterrupt


def test_a_day_that_never_ran_has_no_features(one_made: PlayLake) -> None:
    """Late rows of another day lie in its partition."""
    lake = one_made
    arrive(lake, SECOND, "transaction_id | timestamp\nb | 2026-01-04T10:00:00Z")
    with pytest.raises(SourceMissingError, match="clean has not run for transactions of 2026-01-04"):
        lake.features("2026-01-04")
    with pytest.raises(SourceMissingError, match="features has not run for transactions of 2026-01-04"):
        lake.run(PUBLISH, "2026-01-04")


def test_a_publication_says_what_it_left_out(second_left_out: PlayLake) -> None:
    lake = second_left_out
    lake.publish(THIRD)
    keep_verdict(lake, SECOND)
    facts = lake.published.at().published[THIRD]
    assert facts["left_out"] == [SECOND]
    assert lake.run(REPRODUCE, THIRD)["counts"]["features"] == 1
    events = explain(str(lake.lake_folder), lake.published.at(), "1", date.fromisoformat(THIRD)).events
    assert events["transaction_id"].to_pylist() == ["a", "b", "e"]
    assert [str(amount) for amount in events["purchase_amount"].to_pylist()] == ["10.00", "20.00", "3.00"]


def test_why_shows_the_version_that_counted(lake: PlayLake) -> None:
    """The best version was left out; of the others the newest arrival is not the best one."""
    versions = ((FIRST, 12, "900.00", 1), (SECOND, 11, "20.00", 2), (THIRD, 10, "30.00", 1))
    for ds, hour, amount, user in versions:
        corrected = f"a | {user} | {amount} | {FIRST}T{hour}:00:00Z"
        own = "\n".join(f"{ds} {user} | {user} | 1.00 | {ds}T08:00:00Z" for user in (1, 2))
        lake.land(ds, f"transaction_id | user_id | purchase_amount | timestamp\n{corrected}\n{own}")
        lake.ingest(ds)
        lake.clean(ds)
        if ds == FIRST:
            keep_verdict(lake, FIRST, success=False)
    assert lake.features(THIRD)["left_out"] == [FIRST]
    lake.publish(THIRD)
    for user, wanted in ((1, ["1.00", "1.00"]), (2, ["20.00", "1.00", "1.00"])):
        found = explain(str(lake.lake_folder), lake.published.at(), str(user), date.fromisoformat(THIRD))
        assert [str(amount) for amount in found.events["purchase_amount"].to_pylist()] == wanted
        assert found.row["spend_7d"] == sum(found.events["purchase_amount"].to_pylist())


def test_a_record_too_far_from_a_refused_arrival_is_refused_too(lake: PlayLake) -> None:
    """Clean judges what arrived, the gate what is read: a verdict that changes moves no row, and no event counts twice."""
    later = "2026-01-16"
    for ds in (FIRST, later):
        lake.land(ds, f"transaction_id | timestamp\nmoved | {ds}T10:00:00Z\nof {ds} | {ds}T10:00:00Z")
        lake.ingest(ds)
        lake.clean(ds)
        if ds == FIRST:
            keep_verdict(lake, FIRST, success=False)
    assert [row["reasons"] for row in lake.rows("quarantine")] == [["moved_too_far"]]
    assert lake.features(later)["left_out"] == [FIRST]
    assert_rows(lake.feature_rows(later), "purchases_30d\n1")
    keep_verdict(lake, FIRST)
    assert lake.clean(later)["outcome"] == "nothing"
    lake.features(later)
    assert_rows(lake.feature_rows(later), "purchases_30d\n3")


def test_verdicts_of_0_1_still_admit_their_days(two_cleaned: PlayLake) -> None:
    """They lie in files beside the tables, and do not say which table they judged."""
    lake, kept = two_cleaned, DeltaTable(str(two_cleaned.lake_folder / "verdicts/transactions"))
    kept.delete("ds = '2026-01-05'")
    version = delta_log.version(str(lake.lake_folder / "processed/transactions"))
    place = run_log.results_place(str(lake.lake_folder), "transactions", "processed", FIRST)
    rule = {"expectation": "ExpectColumnToExist()", "success": True}
    write_json(place, {"version": version, "run_id": "old", "success": True, "results": [rule]})
    assert "left_out" not in lake.features(SECOND)
    assert_rows(lake.feature_rows(SECOND), "purchases_7d\n2")
    write_json(
        place, {"table_id": "since 0.2", "version": version, "run_id": "new", "success": True, "results": [rule]}
    )
    kept.update_incremental()
    kept.delete("ds = '2026-01-06'")
    keep_verdict(lake, SECOND)
    assert lake.features(SECOND)["left_out"] == [FIRST]
