"""Two machines share a lake and no lock: Delta's log decides, and nothing is written that the other one did not see."""

import pytest

from common.clean import settlement
from common.clean.settlement import SettledDay
from common.clean.typed_day import TypedDay
from common.contracts import layout
from common.lake.log.commit_metadata import spark_commit
from common.lake.log.decisions import DecidedMeanwhileError, decide
from common.lake.spark_tables import create, empty_rows
from tests.support.play_lake import PlayLake
from tests.support.tables_as_text import assert_rows

FIRST, SECOND = "2026-01-05", "2026-01-06"
LATE = "2026-01-05T11:00:00Z"


def test_two_arrivals_of_one_key_cleaned_at_once(lake: PlayLake, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second machine cleans the correction after the first has looked for the key, and before it commits."""
    lake.land(FIRST, f"transaction_id | purchase_amount | timestamp\na | 1 | {LATE}")
    lake.land(SECOND, f"transaction_id | purchase_amount | timestamp\na | 2 | {LATE}")
    for ds in (FIRST, SECOND):
        lake.ingest(ds)
    looks: list[str] = []

    def then_the_other(day: TypedDay) -> SettledDay:
        settled = settlement.settle_day(day)
        looks.append(str(day.run.ds))
        if looks == [FIRST]:
            lake.clean(SECOND)  # the holder of a lock may take it again, as a machine without it would
        return settled

    monkeypatch.setattr("common.clean.commits.settle_day", then_the_other)
    lake.clean(FIRST)
    assert looks == [FIRST, SECOND, FIRST], "the first machine has decided anew"
    assert_rows(lake.rows("processed"), "transaction_id | purchase_amount | arrived\na | 2.00 | 2026-01-06")
    assert_rows(lake.rows("superseded"), "transaction_id | purchase_amount | superseded\na | 1.00 | 2026-01-06")


def test_a_decision_is_refused_once_another_was_committed(lake: PlayLake) -> None:
    one, other = lake.plan("clean", FIRST), lake.plan("clean", SECOND)
    table = layout.processed(one.contract)
    create(one, table)
    first, second, elsewhere = decide(one, table, "keys"), decide(other, table, "keys"), decide(other, table, "x")
    uri = one.path(table)

    def commit(run, decision) -> None:  # type: ignore[no-untyped-def]
        with decision.commit(run), spark_commit(run, decision.books):
            empty_rows(run.spark, table).write.format("delta").mode("append").save(uri)

    commit(one, first)
    with pytest.raises(DecidedMeanwhileError, match="another run has changed"):
        commit(other, second)
    commit(other, elsewhere)
    commit(one, first)
    assert first.number == 2, "one run may commit in several steps"
