"""Events without a key: each line counts, and a file that is sent again does not double them."""

from common.contracts.contract import LINE
from tests.support.play_lake import PlayLake
from tests.support.tables_as_text import assert_rows

DAY, NEXT = "2026-01-05", "2026-01-06"


def cleaned(lake: PlayLake, ds: str) -> dict[str, int]:
    lake.ingest(ds)
    return lake.clean(ds)["counts"]


def test_events_without_a_key_are_known_by_their_line(lake: PlayLake) -> None:
    lake = lake.with_contract(key=LINE)
    lake.land(DAY, "transaction_id\na\na\nb", "shop.csv")
    lake.land(DAY, "transaction_id\na", "web.csv")
    assert cleaned(lake, DAY)["duplicates"] == 0
    assert_rows(lake.rows("processed"), "transaction_id\na\na\na\nb")
    lake.land(
        NEXT, f"transaction_id | timestamp\na | {DAY}T10:00:00Z\na | {DAY}T10:00:00Z\na | {DAY}T10:00:00Z", "shop.csv"
    )
    counts = cleaned(lake, NEXT)
    assert (counts["duplicates"], counts["late"]) == (2, 1)
    assert_rows(lake.rows("processed"), "transaction_id\na\na\na\na\nb")


def test_refused_lines_without_a_key_keep_their_count(lake: PlayLake) -> None:
    lake = lake.with_contract(key=LINE)
    lake.land(DAY, "transaction_id | age\na | x\na | x\nb | 30")
    assert cleaned(lake, DAY)["quarantined"] == 2
    assert_rows(lake.rows("quarantine"), "copies | reasons\n2 | ['age:not_int']")
