"""A day from an API to raw, and its pages gone once raw has them."""

from __future__ import annotations

from typing import Any

from common.sources.http.api import Http
from tests.support.landing import PURCHASE
from tests.support.play_lake import PlayLake
from tests.support.web_api import Answer, web_api


def test_a_day_of_an_api_is_ingested_once(lake: PlayLake) -> None:
    with web_api() as api:
        sold = [{**PURCHASE, "transaction_id": name} for name in "abc"]
        api.says("1", Answer({"items": sold[:2]}))
        api.says("2", Answer({"items": sold[2:]}))
        api.says("3", Answer({"items": []}))
        source = Http(base=api.base, path="/sales", records="items", rate=1_000.0)
        for _ in range(2):
            lake.with_contract(source=source).ingest("2026-01-05")
        assert len(api.asked) == 3
    assert sorted(row["transaction_id"] for row in lake.rows("raw")) == ["a", "b", "c"]
    kept = lake.ingested("2026-01-05")
    assert (kept["pages"], kept["repeatable"]) == (3, False)
    assert [*(lake.lake_folder / ".pages").rglob("*.json")] == []


def test_a_field_whose_type_changes_is_judged_by_its_text(lake: PlayLake) -> None:
    amounts: dict[str, Any] = {"a": 2.50, "b": "2.50", "c": {"value": 2.50, "currency": "EUR"}, "d": [2.50]}
    with web_api() as api:
        api.says(
            "1", Answer([{**PURCHASE, "transaction_id": name, "purchase_amount": amounts[name]} for name in amounts])
        )
        ours = lake.with_contract(source=Http(base=api.base, path="/sales", rate=1_000.0), refused_share=1.0)
        ours.ingest("2026-01-05")
        assert ours.clean("2026-01-05")["counts"]["quarantined"] == 2
    assert sorted(row["transaction_id"] for row in lake.rows("processed")) == ["a", "b"]
    assert {row["reasons"][0] for row in lake.rows("quarantine")} == {"purchase_amount:not_decimal"}


def test_many_records_end_as_few_ones_do(lake: PlayLake) -> None:
    """Many are handed to Spark's tasks in a file. A word that is no record makes them a little too many."""
    sold = [{**PURCHASE, "transaction_id": f"t{number}", "colour": "red"} for number in range(30)]
    other = PlayLake(lake.root / "few")
    with web_api() as api:
        for ours, word in ((lake, "x" * 5_000_000), (other, "x")):
            api.says("1", Answer([*sold[:20], word]))
            api.says("2", Answer([*sold[20:], sold[0]]))
            source = Http(base=api.base, path="/sales", rate=1_000.0)
            line = ours.with_contract(source=source).ingest("2026-01-05")
            assert line["counts"] == {"landed": 32, "accepted": 31, "quarantined": 1, "files": 1, "refused_files": 0}
            assert line["drift"] == {"/sales": ["colour"]}
    assert lake.content()["raw/transactions"] == other.content()["raw/transactions"]
    assert [len(row["record"]) for row in lake.rows("quarantine")] == [5_000_002]
    assert [*(lake.lake_folder / ".pages").rglob("*.arrow")] == []
