"""raw -> processed: rows are typed, deduplicated and stored by event date with their arrival."""

import json
from collections.abc import Callable
from dataclasses import replace

import pytest
from pyspark.sql import DataFrame

from common.clean.settlement import balance
from common.contracts.datasets import Dataset
from common.errors import SourceMissingError, UnbalancedBooksError
from common.orchestration.job import run_day
from jobs.clean import CLEAN
from jobs.features import FEATURES
from tests.support.play_lake import PlayLake
from tests.support.tables_as_text import assert_rows

DAY = "2026-01-05"
NEXT = "2026-01-06"


def clean(lake: PlayLake, ds: str, text: str) -> dict[str, int]:
    lake.land(ds, text)
    lake.ingest(ds)
    return lake.clean(ds)["counts"]


ACCEPTED = """
    transaction_id | category | age | purchase_amount | timestamp
     typed         |  FooD    | 30  | 1               | 2026-01-05T23:30:00+02:00
    a date         | home     | 30  | 1               | 2026-01-05
    least          | food     | 0   | 0.01            | 2026-01-05T23:59:59.999999Z
    most           | food     | 120 | 100000.00       | 2025-12-29T00:00:00Z
    unknown        | food     | -   | 1e2             | 2026-01-05 10:00
    again          | food     | 30  | 1               | 2026-01-05T10:00:00Z
    again          | food     | 30  | 2               | 2026-01-05T12:00:00Z
    again          | food     | 30  | 3               | 2026-01-05T11:00:00Z
"""
REFUSED = """
    transaction_id | user_id | age | purchase_amount | timestamp             | category | reason
    -              | 1       | 30  | 1               | 2026-01-05            | food     | transaction_id:missing
    a              | -       | 30  | 1               | 2026-01-05            | food     | user_id:missing
    b              | -1      | 30  | 1               | 2026-01-05            | food     | user_id:under_0
    c              | 1.5     | 30  | 1               | 2026-01-05            | food     | user_id:not_long
    d              | 1       | 121 | 1               | 2026-01-05            | food     | age:over_120
    e              | 1       | x   | 1               | 2026-01-05            | food     | age:not_int
    f              | 1       | 30  | 0               | 2026-01-05            | food     | purchase_amount:not_over_0
    g              | 1       | 30  | 100000.01       | 2026-01-05            | food     | purchase_amount:over_100000
    h              | 1       | 30  | 12,50           | 2026-01-05            | food     | purchase_amount:not_decimal
    i              | 1       | 30  | NaN             | 2026-01-05            | food     | purchase_amount:not_decimal
    j              | 1       | 30  | Infinity        | 2026-01-05            | food     | purchase_amount:not_decimal
    k              | 1       | 30  | 1e400           | 2026-01-05            | food     | purchase_amount:not_decimal
    l              | 1       | 30  | 1.005           | 2026-01-05            | food     | purchase_amount:not_decimal
    m              | 1       | 30  | 1               | yesterday             | food     | timestamp:not_timestamp
    n              | 1       | 30  | 1               | 2026-02-31            | food     | timestamp:not_timestamp
    o              | 1       | 30  | 1               | 12:30                 | food     | timestamp:not_timestamp
    p              | 1       | 30  | 1               | 2026                  | food     | timestamp:not_timestamp
    q              | 1       | 30  | 1               | 0001-01-01T00:00:00Z  | food     | timestamp:older_than_7_days
    r              | 1       | 30  | 1               | 9999-12-31T00:00:00Z  | food     | timestamp:after_ds
    s              | 1       | 30  | 1               | 2026-01-06T00:00:00Z  | food     | timestamp:after_ds
    t              | 1       | 30  | 1               | 2025-12-28T23:59:59Z  | food     | timestamp:older_than_7_days
    u              | 1       | 30  | 1               | 2026-01-05            | toys     | category:not_one_of_the_values
"""


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory, spark: object) -> tuple[PlayLake, dict[str, int]]:
    """A day of all these records, and its counts."""
    lake = PlayLake(tmp_path_factory.mktemp("judged"))
    lake.land(DAY, ACCEPTED, "accepted.csv")
    lines = [line.rpartition("|")[0] for line in REFUSED.strip().splitlines()]
    return lake, clean(lake, DAY, "\n".join(lines))


Judged = tuple[PlayLake, dict[str, int]]


def test_values_are_typed_and_normalised(judged: Judged) -> None:
    assert_rows(
        judged[0].rows("processed", "transaction_id IN ('typed', 'a date')"),
        """
        event_date | arrived    | transaction_id | category | timestamp
        2026-01-05 | 2026-01-05 | typed          | food     | 2026-01-05 21:30:00+00:00
        2026-01-05 | 2026-01-05 | a date         | home     | 2026-01-05 00:00:00+00:00
        """,
    )


def test_every_wrong_value_is_quarantined_with_reason_and_record(judged: Judged) -> None:
    lake, counts = judged
    lines = [[cell.strip() for cell in line.split("|")] for line in REFUSED.strip().splitlines()[1:]]
    found = [(json.loads(row["record"])["transaction_id"] or "-", row["reasons"]) for row in lake.rows("quarantine")]
    assert sorted(found) == sorted((line[0], [line[-1]]) for line in lines)
    assert (counts["rows_in"], counts["quarantined"]) == (30, 22)


def test_all_reasons_of_a_record_are_listed(lake: PlayLake) -> None:
    clean(lake, DAY, "transaction_id | user_id | category\na | x | toys")
    assert_rows(lake.rows("quarantine"), "reasons\n['user_id:not_long', 'category:not_one_of_the_values']")


def test_the_edges_of_what_is_allowed_are_accepted(judged: Judged) -> None:
    assert_rows(
        judged[0].rows("processed", "transaction_id IN ('least', 'most', 'unknown')"),
        "transaction_id | age | purchase_amount | event_date\n"
        "least | 0 | 0.01 | 2026-01-05\nmost | 120 | 100000.00 | 2025-12-29\nunknown | - | 100.00 | 2026-01-05",
    )


def test_mending_the_cause_empties_quarantine(lake: PlayLake) -> None:
    clean(lake, DAY, "transaction_id | category\na | toys")
    clean(lake, DAY, "transaction_id | category\na | food")
    assert lake.rows("quarantine") == []
    assert_rows(lake.rows("processed"), "transaction_id\na")


def test_exact_duplicates_are_dropped_across_files_and_days(lake: PlayLake) -> None:
    lake.land(DAY, "transaction_id\na", "2.csv")
    assert clean(lake, DAY, "transaction_id\na\na\nb")["duplicates"] == 2
    counts = clean(lake, NEXT, "transaction_id | timestamp\na | 2026-01-05T10:00:00Z")
    assert (counts["duplicates"], counts["late"]) == (1, 0)
    assert_rows(lake.rows("processed"), f"transaction_id | arrived\na | {DAY}\nb | {DAY}")


def test_the_latest_record_of_a_key_supersedes_the_others(judged: Judged) -> None:
    lake, counts = judged
    assert (counts["accepted"], counts["late"], counts["superseded"]) == (5, 1, 2)
    assert_rows(lake.rows("processed", "transaction_id = 'again'"), "transaction_id | purchase_amount\nagain | 2.00")
    assert_rows(
        lake.rows("superseded"),
        f"purchase_amount | arrived | superseded\n1.00 | {DAY} | {DAY}\n3.00 | {DAY} | {DAY}",
    )


def test_the_record_hash_breaks_ties_of_time_in_any_order(
    lake: PlayLake, tmp_path_factory: pytest.TempPathFactory
) -> None:
    other = PlayLake(tmp_path_factory.mktemp("other"))
    clean(lake, DAY, "transaction_id | purchase_amount\na | 1\na | 2")
    clean(other, DAY, "transaction_id | purchase_amount\na | 2\na | 1")
    assert lake.rows("processed") == other.rows("processed")
    (kept,), (aside,) = lake.rows("processed"), lake.rows("superseded")
    assert kept["record_hash"] > aside["record_hash"]


def test_a_late_event_is_stored_under_its_event_date(one_made: PlayLake) -> None:
    counts = clean(one_made, NEXT, f"transaction_id | timestamp\nb | {DAY}T09:00:00Z\nc | {NEXT}T09:00:00Z")
    assert (counts["accepted"], counts["late"]) == (1, 1)
    assert_rows(
        one_made.rows("processed"),
        f"transaction_id | event_date | arrived\na | {DAY} | {DAY}\nb | {DAY} | {NEXT}\nc | {NEXT} | {NEXT}",
    )


def test_a_correction_replaces_the_row_from_its_arrival_on(one_made: PlayLake) -> None:
    clean(one_made, NEXT, f"transaction_id | purchase_amount | timestamp\na | 5 | {DAY}T10:00:00Z")
    assert_rows(one_made.rows("processed"), f"transaction_id | purchase_amount | arrived\na | 5.00 | {NEXT}")
    assert_rows(one_made.rows("superseded"), f"purchase_amount | arrived | superseded\n10.00 | {DAY} | {NEXT}")


def test_a_correction_may_move_an_event_to_another_date(one_made: PlayLake) -> None:
    clean(one_made, NEXT, f"transaction_id | timestamp\na | {NEXT}T08:00:00Z")
    assert_rows(one_made.rows("processed"), f"transaction_id | event_date | arrived\na | {NEXT} | {NEXT}")
    assert_rows(one_made.rows("superseded"), f"transaction_id | event_date | superseded\na | {DAY} | {NEXT}")


def test_a_withdrawn_correction_restores_the_first_row(one_made: PlayLake) -> None:
    before = one_made.content()["processed/transactions"]
    clean(one_made, NEXT, f"transaction_id | purchase_amount | timestamp\na | 5 | {DAY}T10:00:00Z")
    clean(one_made, NEXT, f"transaction_id | timestamp\nb | {NEXT}T10:00:00Z")
    assert [row for row in one_made.content()["processed/transactions"] if "'b'" not in row] == before
    assert one_made.rows("superseded") == []


def test_clean_twice_changes_nothing_at_all(lake: PlayLake) -> None:
    clean(lake, DAY, "transaction_id | category\na | food\na | home\nb | toys")
    clean(
        lake, NEXT, f"transaction_id | category | timestamp\na | sports | {DAY}T11:00:00Z\nc | food | {NEXT}T10:00:00Z"
    )
    before = lake.state()
    assert lake.clean(NEXT)["outcome"] == "nothing"
    assert lake.clean(NEXT, full_refresh=True)["outcome"] == "nothing"
    assert lake.clean(DAY, full_refresh=True)["outcome"] == "nothing"
    assert lake.state() == before


def test_less_lateness_takes_back_what_is_too_late_now(lake: PlayLake) -> None:
    late, later = "2026-01-09", "2026-01-10"
    clean(lake, DAY, "transaction_id | purchase_amount\na | 1\nb | 1")
    clean(
        lake,
        late,
        f"""
        transaction_id | purchase_amount | timestamp
        a              | 5               | {DAY}T10:00:00Z
        b              | 5               | {DAY}T10:00:00Z
        c              | 1               | {DAY}T10:00:00Z
        d              | 1               | {late}T10:00:00Z
        """,
    )
    clean(lake, later, f"transaction_id | purchase_amount | timestamp\nb | 7 | {DAY}T10:00:00Z")
    shorter = lake.with_contract(lateness_days=2)
    assert shorter.clean(late, full_refresh=True)["counts"]["quarantined"] == 3
    known = f"transaction_id | purchase_amount | arrived\na | 1.00 | {DAY}\nd | 1.00 | {late}"
    assert_rows(lake.rows("processed"), f"{known}\nb | 7.00 | {later}")
    assert_rows(lake.rows("superseded"), f"transaction_id | purchase_amount | superseded\nb | 1.00 | {later}")
    shorter.clean(later, full_refresh=True)
    assert_rows(lake.rows("processed"), f"{known}\nb | 1.00 | {DAY}")
    assert lake.rows("superseded") == []
    assert shorter.clean(late, full_refresh=True)["outcome"] == "nothing"


def test_books_are_committed_even_when_no_row_changes(one_made: PlayLake) -> None:
    before = one_made.table("processed/transactions").version()
    assert clean(one_made, DAY, "transaction_id\na\na\na")["duplicates"] == 2
    (commit,) = one_made.table("processed/transactions").history(1)
    assert commit["version"] == before + 1
    assert json.loads(commit["userMetadata"])["counts"]["duplicates"] == 2


def test_books_that_do_not_balance_stop_the_day() -> None:
    balance({"rows_in": 3, "accepted": 2, "quarantined": 1})
    with pytest.raises(UnbalancedBooksError, match="4 rows came in and 3 are accounted for"):
        balance({"rows_in": 4, "accepted": 2, "quarantined": 1})


class Forgetful(Dataset):
    """A dataset whose transforms drop a row."""

    @property
    def derive(self) -> Callable[[DataFrame], DataFrame]:
        return lambda rows: rows.where("transaction_id <> 'a'")

    @property
    def measure(self) -> Callable[[DataFrame], DataFrame]:
        return lambda rows: super(Forgetful, self).measure(rows).where("transaction_id <> 'a'")


def test_a_transform_that_drops_rows_fails_the_day(two_cleaned: PlayLake) -> None:
    run, before = two_cleaned.plan("clean", DAY, full_refresh=True), two_cleaned.state()
    forgetful = Forgetful(run.contract, run.dataset.package)
    with pytest.raises(UnbalancedBooksError, match="1 rows came in and 0 are accounted for"):
        run_day(CLEAN, replace(run, dataset=forgetful))
    with pytest.raises(UnbalancedBooksError, match="1 events went into the partials of 2026-01-05, 0 came out"):
        run_day(FEATURES, replace(two_cleaned.plan("features", DAY), dataset=forgetful))
    assert two_cleaned.state() == before


def test_a_day_that_was_never_ingested_is_not_cleaned(lake: PlayLake) -> None:
    with pytest.raises(
        SourceMissingError, match="ingest has not run .* jobs/ingest.py --dataset transactions --ds 2026-01-05"
    ):
        lake.clean(DAY)


def test_churn_blank_totals_are_null_and_tenure_is_whole_months(lake: PlayLake) -> None:
    churn = PlayLake(lake.root, "churn")
    header = "customer_id,gender,senior_citizen,partner,dependents,tenure_days,monthly_charges,total_charges,payment_method,churn"
    churn.land_bytes(
        DAY, f"{header}\nc1,Male,0,Yes,No,59,20.50, ,card,No\nc2,Female,1,No,No,60,10,100.10,card,Yes\n".encode()
    )
    churn.ingest(DAY)
    churn.clean(DAY)
    assert_rows(
        churn.rows("processed"),
        "customer_id | tenure_months | total_charges | event_date\nc1 | 1 | - | 2026-01-05\nc2 | 2 | 100.10 | 2026-01-05",
    )
    churn.features(DAY)
    assert_rows(
        churn.feature_rows(DAY),
        "customer_id | monthly_to_total_ratio | churn | ds_year | ds_weekday\n"
        "c1 | 0.0 | 0 | 2026 | 1\nc2 | 0.0999000999000999 | 1 | 2026 | 1",
    )
