"""A day from an API to raw, and its pages gone once raw has them."""

from __future__ import annotations

import pytest

from common.lake import delta_log
from common.sources.http.api import Http
from tests.support.landing import PURCHASE
from tests.support.play_lake import PlayLake
from tests.support.web_api import Answer, web_api


@pytest.mark.slow
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
    commit = delta_log.newest_commit(str(lake.lake_folder / f"raw/{lake.dataset}"), "ingest", "2026-01-05")
    assert commit is not None
    kept = commit.books["sources"]
    assert (kept["pages"], kept["repeatable"]) == (3, False)
    assert [*(lake.lake_folder / ".pages").rglob("*.json")] == []
