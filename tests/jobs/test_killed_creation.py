"""A run that was killed while it created a table has left an empty log; the next run creates the table."""

from tests.support.play_lake import PlayLake
from tests.support.tables_as_text import assert_rows

DAY = "2026-01-05"
TABLES = (
    "raw/transactions",
    "quarantine/transactions",
    "processed/transactions",
    "superseded/transactions",
    "partials/transactions/v1",
    "features/transactions/v1",
    "published/transactions/v1",
    "profiles/transactions",
)


def test_an_empty_log_is_no_table(lake: PlayLake) -> None:
    for path in TABLES:
        (lake.lake_folder / path / "_delta_log").mkdir(parents=True)
    lake.land(DAY, "transaction_id\na\nb")
    lake.day(DAY)
    lake.publish(DAY)
    assert_rows(lake.rows("processed"), "transaction_id\na\nb")
    assert len(lake.published.versions()) == 1
