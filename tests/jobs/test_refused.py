"""The allowed share of refused records per day, over ingest and clean together."""

import shutil
from pathlib import Path

import pytest
from deltalake import write_deltalake

from common.contracts.contract import Files
from common.errors import ContractViolationError, SourceMissingError
from common.orchestration.job import Line
from jobs.clean import CLEAN
from jobs.ingest import INGEST
from tests.support.play_lake import PlayLake

DAY = "2026-01-05"
HEADER = "transaction_id,user_id,age,purchase_amount,timestamp,category,payment_method"


def land(lake: PlayLake, good: int, torn: int = 0, toys: int = 0) -> None:
    """Lands good purchases, unparsable records and purchases of an undeclared category."""
    rows = [f"g{n},1,30,10.00,{DAY}T10:00:00Z,food,card" for n in range(good)]
    rows += [f"torn {n}" for n in range(torn)]
    rows += [f"t{n},1,30,10.00,{DAY}T10:00:00Z,toys,card" for n in range(toys)]
    lake.land_bytes(DAY, "\n".join([HEADER, *rows, ""]).encode())


def test_too_many_records_refused_by_ingest_stop_before_clean(lake: PlayLake) -> None:
    land(lake, good=9, torn=1)
    lake.ingest(DAY)
    with pytest.raises(
        ContractViolationError, match=r"RefusedShareToBeAtMost\(0.05\) failed: 1 of 10 rows, observed 0.1"
    ) as stopped:
        lake.validate(DAY, "raw")
    assert [each["examples"] for each in stopped.value.failures] == [["too_few_fields in 1"]]


@pytest.fixture(scope="module")
def one_in_twelve(tmp_path_factory: pytest.TempPathFactory, spark: object) -> PlayLake:
    """Each job's share of refused records is below 1/20; together they are 1/12."""
    lake = PlayLake(tmp_path_factory.mktemp("one-in-twelve"))
    land(lake, good=22, torn=1, toys=1)
    lake.ingest(DAY)
    lake.clean(DAY)
    return lake


def test_records_refused_by_ingest_and_clean_are_added_up(one_in_twelve: PlayLake) -> None:
    with pytest.raises(ContractViolationError, match="failed: 2 of 24 rows, observed 0.0833, limit 0.05") as stopped:
        one_in_twelve.validate(DAY)
    (failure,) = stopped.value.failures
    assert failure["examples"] == ["category:not_one_of_the_values in 1", "too_few_fields in 1"]


def test_refused_files_count_as_files(lake: PlayLake) -> None:
    lake = lake.with_contract(source=Files(on_bad_file="quarantine"))
    lake.land(DAY, "transaction_id\na", "good.csv")
    for number in range(9):
        lake.land_bytes(DAY, b"no,such,header\n1,2,3\n", f"bad{number}.csv")
    lake.ingest(DAY)
    with pytest.raises(
        ContractViolationError,
        match=r"RefusedFileShareToBeAtMost\(0.05\) failed, observed 0.9, limit 0.05, for example bad0.csv",
    ) as stopped:
        lake.validate(DAY, "raw")
    assert len(stopped.value.failures) == 1, "the rows of the good file are all there"


def test_counts_come_from_the_commits_not_from_the_run_log(one_in_twelve: PlayLake, tmp_path: Path) -> None:
    lake = one_in_twelve.copied(tmp_path)
    shutil.rmtree(lake.lake_folder / "runs")
    with pytest.raises(ContractViolationError, match="2 of 24 rows"):
        lake.validate(DAY)


def test_without_the_run_log_the_age_of_a_snapshot_is_known(churn: PlayLake) -> None:
    """Each commit to raw says which files it was made from."""
    shutil.rmtree(churn.root / "lake/runs")
    assert churn.validate(DAY)["outcome"] == "done"


@pytest.mark.parametrize("table", ["raw", "processed"])
def test_rows_without_books_stop_the_day(two_cleaned: PlayLake, table: str) -> None:
    """Rows written by another program have no books: the refused share is unknown, not zero."""
    lake = two_cleaned
    path = str(lake.root / f"lake/{table}/transactions")
    rows = lake.table(f"{table}/transactions").to_pyarrow_table()
    shutil.rmtree(path)
    write_deltalake(path, rows, partition_by="ds" if table == "raw" else "event_date")
    with pytest.raises(
        ContractViolationError, match="could not be checked: the commits of raw/transactions"
    ) as stopped:
        lake.validate(DAY, table)
    names = [each["expectation"] for each in stopped.value.failures]
    assert names == ["RefusedShareToBeAtMost(0.05)", "DuplicateShareToBeAtMost(0.2)"][: 1 if table == "raw" else 2]
    heal = CLEAN if table == "processed" else INGEST
    lake.run(heal, DAY, full_refresh=True)
    assert lake.validate(DAY, table)["outcome"] == "done"


@pytest.mark.parametrize("more", [pytest.param({"toys": 3}, marks=pytest.mark.slow), {"torn": 1, "toys": 1}])
def test_a_day_with_more_bad_rows_is_judged_again(lake: PlayLake, more: dict[str, int]) -> None:
    """Its good rows are those that the gate has passed."""
    land(lake, good=22, toys=1)
    judge(lake)
    land(lake, good=22, **more)
    with pytest.raises(ContractViolationError, match="RefusedShareToBeAtMost"):
        judge(lake)
    with pytest.raises(ContractViolationError, match=r"failed its validation \(RefusedShare"):
        lake.features(DAY)
    land(lake, good=22, toys=1)
    assert judge(lake)["outcome"] == "done"
    assert lake.features(DAY)["outcome"] == "done"


def test_features_wait_until_a_recounted_day_is_judged(lake: PlayLake) -> None:
    land(lake, good=22)
    judge(lake)
    assert lake.features(DAY)["stale"] == []
    land(lake, good=22, torn=1)
    lake.ingest(DAY)
    assert lake.run(CLEAN, DAY)["stale"] == [DAY]
    with pytest.raises(SourceMissingError, match="not been validated since"):
        lake.features(DAY)
    assert lake.validate(DAY)["stale"] == []
    assert lake.features(DAY)["outcome"] == "nothing", "its rows are the same"


def judge(lake: PlayLake) -> Line:
    lake.ingest(DAY)
    lake.run(CLEAN, DAY)
    return lake.validate(DAY)
