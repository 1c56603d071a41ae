"""A contract that changes between two days: new columns are added, incompatible changes are refused first."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from common.contracts.contract import Column
from common.errors import ContractViolationError
from tests.support.landing import PURCHASE
from tests.support.play_lake import PlayLake
from tests.support.tables_as_text import assert_rows

FIRST, SECOND, THIRD = "2026-01-05", "2026-01-06", "2026-01-07"
SHOP = Column(name="shop", type="string", description="Where it was bought")


@pytest.fixture(scope="module")
def ran_once(tmp_path_factory: pytest.TempPathFactory, spark: object) -> PlayLake:
    """The second day corrects a purchase of the first, so that superseded has rows too."""
    lake = PlayLake(tmp_path_factory.mktemp("two-days"))
    lake.land(FIRST, "transaction_id | category\na | food\nb | food")
    lake.day(FIRST)
    lake.land(
        SECOND, f"transaction_id | category | timestamp\nb | home | {FIRST}T11:00:00Z\nd | food | {SECOND}T11:00:00Z"
    )
    lake.day(SECOND)
    return lake


@pytest.fixture
def two_days(ran_once: PlayLake, tmp_path: Path) -> PlayLake:
    return ran_once.copied(tmp_path)


def wider(lake: PlayLake) -> PlayLake:
    return lake.with_contract(columns=(*lake.contract.columns, SHOP))


def land_with_shop(lake: PlayLake, **changed: str) -> None:
    values = {**PURCHASE, "transaction_id": "c", "timestamp": f"{THIRD}T10:00:00Z", "shop": "north", **changed}
    lake.land_bytes(THIRD, f"{','.join(values)}\n{','.join(values.values())}\n".encode())


@pytest.fixture(scope="module")
def widened_once(ran_once: PlayLake, tmp_path_factory: pytest.TempPathFactory) -> PlayLake:
    """And the third day ran with a new column."""
    lake = wider(ran_once.copied(tmp_path_factory.mktemp("widened")))
    land_with_shop(lake)
    lake.day(THIRD)
    return lake


@pytest.fixture
def widened(widened_once: PlayLake, tmp_path: Path) -> PlayLake:
    return widened_once.copied(tmp_path)


def test_a_new_contract_column_is_null_in_older_rows(widened: PlayLake) -> None:
    lake = widened
    for table in ("raw", "processed", "features"):
        assert lake.validate(THIRD, table)["counts"]["warnings"] == 0
    assert_rows(
        lake.rows("processed"),
        "transaction_id | category | shop\na | food | -\nb | home | -\nd | food | -\nc | food | north",
    )
    assert [row["purchases_30d"] for row in lake.feature_rows(THIRD)] == [4]


def test_a_replay_after_a_new_column_beats_no_correction(two_days: PlayLake) -> None:
    lake = wider(two_days)
    land_with_shop(lake, transaction_id="b", timestamp=f"{FIRST}T10:00:00Z", shop="")
    lake.ingest(THIRD)
    assert lake.clean(THIRD)["counts"]["duplicates"] == 1
    assert_rows(
        lake.rows("processed", "transaction_id = 'b'"), f"transaction_id | category | arrived\nb | home | {SECOND}"
    )


def test_older_days_keep_their_rows_under_a_new_contract(ran_once: PlayLake, widened: PlayLake) -> None:
    lake = widened
    before = {ds: ran_once.feature_rows(ds) for ds in (FIRST, SECOND)}
    for ds in (FIRST, SECOND):
        lake.day(ds)
    for table in ("raw", "processed", "features"):
        assert lake.validate(SECOND, table)["counts"]["warnings"] == 0
    assert {ds: lake.feature_rows(ds) for ds in before} == before
    state = lake.state()
    assert lake.clean(SECOND, full_refresh=True)["outcome"] == "nothing"
    assert lake.state() == state


def test_a_half_done_day_resumes_where_the_new_column_enters(two_days: PlayLake) -> None:
    lake = wider(two_days)
    with pytest.raises(
        ContractViolationError, match=r"raw/transactions lacks shop, .* run: spark-submit jobs/ingest.py"
    ):
        lake.clean(SECOND)
    with pytest.raises(ContractViolationError, match="ExpectTableColumnsToMatchSet.* for example shop is missing"):
        lake.validate(SECOND, "raw")
    lake.ingest(SECOND)
    with pytest.raises(
        ContractViolationError, match="failed its validation .* run first: spark-submit jobs/validate.py"
    ):
        lake.clean(SECOND)
    lake.validate(SECOND, "raw")
    assert lake.clean(SECOND)["outcome"] == "done"


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"type": "long"}, "age is int in the table, but bigint in the contract"),
        ({"type": "string", "minimum": None, "maximum": None}, "age is int in the table, but string"),
        (None, "age is int in the table, but not in the contract"),
    ],
    ids=["a wider type", "another type", "a column gone"],
)
def test_an_incompatible_change_is_refused_with_what_to_do(
    two_days: PlayLake, changed: dict[str, Any] | None, said: str
) -> None:
    contract = two_days.contract
    columns = two_days.columns("age", **changed or {})
    kept = [each for each in columns if changed or each.name != "age"]
    features = replace(contract.features, columns=[each for each in contract.features.columns if each.name != "age"])
    lake = two_days.with_contract(columns=tuple(kept), features=features)
    before = lake.table("processed/transactions").version()
    with pytest.raises(ContractViolationError, match=said) as refused:
        lake.clean(SECOND, full_refresh=True)
    assert "if its type changed, give it a new name" in str(refused.value)
    assert refused.value.exit_code == 3
    assert lake.table("processed/transactions").version() == before
