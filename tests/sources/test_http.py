"""Pages of an API that misbehaves on purpose: all of a period's records, or none, and words that say why."""

from __future__ import annotations

import os
import stat
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from common.contracts import datasets
from common.contracts.declared_source import ASKED_ONCE
from common.errors import ContractDeclarationError, PipelineError, SourceUnreachableError, UsageError
from common.sources.http.api import Http, OpenedApi
from common.sources.http.paging import ByCursor, ByLink, ByOffset, ByPage, Page, json_text, value_text
from common.sources.mongo.documents import DocumentReader
from common.sources.source import Period
from tests.support.web_api import Answer, WebApi, web_api

CONTRACT = datasets.load("churn").contract
ONE, TWO = Answer([{"id": 1}, {"id": 2}]), Answer([{"id": 3}])
DOWN = Answer("later", status=503)


@dataclass
class Asked:
    """An API, and the folder of a lake that has nothing yet."""

    api: WebApi
    lake: Path

    def source(self, **declared: Any) -> OpenedApi:
        quick = {"rate": 1_000.0, "attempts": 2, "timeout_seconds": 1, **declared}
        source = Http(base=self.api.base, path="/orders", **quick)
        opened = source.open(Period(replace(CONTRACT, source=source), date(2026, 1, 5), raw=f"{self.lake}/raw/churn"))
        assert isinstance(opened, OpenedApi)
        return opened

    def count(self, **declared: Any) -> int | None:
        return self.source(**declared).holds().records

    def fails(self, error: type[PipelineError], words: str, **declared: Any) -> None:
        with pytest.raises(error, match=words):
            self.count(**declared)


@pytest.fixture
def asked(tmp_path: Path) -> Iterator[Asked]:
    with web_api() as api:
        api.says("1", ONE)
        api.says("2", TWO)
        yield Asked(api, tmp_path / "lake")


def test_a_short_page_is_not_the_last(asked: Asked) -> None:
    listing = asked.source().holds()
    assert (listing.records, listing.facts["pages"], asked.api.asked) == (3, 3, ["1", "2", "3"])
    assert asked.source().fingerprint() == ASKED_ONCE


def test_offsets_cursors_and_links_lead_to_every_page(asked: Asked) -> None:
    asked.api.says("0", ONE)
    assert asked.count(pages=ByOffset()) == 3
    asked.api.says("", Answer({"items": [1, 2], "next": 7}))
    asked.api.says("7", Answer({"items": [], "next": "8"}))
    asked.api.says("8", Answer({"items": [3], "next": None}))
    assert asked.count(pages=ByCursor(), records="items") == 3
    asked.api.says("", Answer([1], headers={"Link": '</orders?page=2>; rel="next"'}))
    assert asked.count(pages=ByLink()) == 2


@pytest.mark.parametrize(
    "first", [Answer("", 429, {"Retry-After": "0"}), Answer("", 500), replace(ONE, cut=True), replace(ONE, seconds=1.5)]
)
def test_what_passes_is_asked_for_again(asked: Asked, first: Answer) -> None:
    asked.api.says("1", first, ONE)
    assert asked.count() == 3
    assert asked.api.asked == ["1", "1", "2", "3"]


def test_retry_after_is_kept(asked: Asked) -> None:
    asked.api.says("1", Answer("", 429, {"Retry-After": "1"}), ONE)
    asked.count()
    assert asked.api.asked == ["1", "1", "2", "3"]
    assert asked.api.times[1] - asked.api.times[0] >= 1


def test_the_declared_rate_is_kept(asked: Asked) -> None:
    """From before the first request on, because a request may reach the API late and the next one at once."""
    begun = time.monotonic()
    asked.count(rate=4.0)
    since = [moment - begun for moment in asked.api.times]
    assert len(since) == 3
    assert since[1] > 0.249
    assert since[2] > 0.499


@pytest.mark.parametrize(
    ("answer", "error", "words"),
    [
        (Answer("", 401), UsageError, "refuses access .401.*SHOP_TOKEN"),
        (Answer("", 403), UsageError, "refuses access .403.*SHOP_TOKEN"),
        (Answer("", 404), UsageError, "404; correct base, path"),
        (Answer("", 302, {"Location": "/elsewhere"}), UsageError, "not followed"),
        (Answer("<p>\x1bhi", headers={"Content-Type": "text/html"}), SourceUnreachableError, r"begins <p>\\x1bhi"),
        (Answer("[1, 2"), SourceUnreachableError, r"is not JSON: it begins \[1, 2"),
        (Answer({"data": 1}), UsageError, r"no list at records='': the document has \['data'\]"),
        (DOWN, SourceUnreachableError, "answers with 503; nothing was written"),
        (Answer("", 429, {"Retry-After": "9999"}), SourceUnreachableError, "asks to wait 9999 seconds"),
    ],
)
def test_mistakes_are_told(
    asked: Asked, monkeypatch: pytest.MonkeyPatch, answer: Answer, error: type[PipelineError], words: str
) -> None:
    monkeypatch.setenv("SHOP_TOKEN", "s3cret")
    asked.api.says("1", answer)
    asked.fails(error, words, auth="shop")


def test_an_api_that_is_down_is_told(asked: Asked) -> None:
    down = Http(base="http://127.0.0.1:1", path="/orders", attempts=1)
    source = replace(asked.source(), declared=down)
    with pytest.raises(SourceUnreachableError, match="127.0.0.1:1/orders can't be reached, or cut the connection"):
        source.holds()


def test_a_token_that_expires_between_pages_is_read_again(
    asked: Asked, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOP_TOKEN_FILE", str(tmp_path / "token"))
    (tmp_path / "token").write_text("old")
    asked.api.says("2", Answer("", 401, then=lambda: (tmp_path / "token").write_text("new")), TWO)
    assert asked.count(auth="shop") == 3
    assert [sent["Authorization"] for sent in asked.api.headers] == [*["Bearer old"] * 2, *["Bearer new"] * 2]
    asked.api.says("2", Answer("", 401))
    again = {"auth": "shop", "attempts": 1, "parameters": {"from": "{start}"}}
    asked.fails(SourceUnreachableError, "SHOP_TOKEN, which it took before .401.; it has expired", **again)


def test_one_connection_serves_all_pages_and_keeps_no_cookie(asked: Asked) -> None:
    asked.api.says("1", replace(ONE, headers={"Set-Cookie": "visit=1"}))
    assert (asked.count(), len(asked.api.connections)) == (3, 1)
    assert not [sent for sent in asked.api.headers if "Cookie" in sent]


def test_circles_and_repeated_pages_end(asked: Asked) -> None:
    asked.api.says("", Answer({"items": [1], "next": "a"}))
    asked.api.says("a", Answer({"items": [2], "next": "b"}))
    asked.api.says("b", Answer({"items": [3], "next": "a"}))
    asked.fails(SourceUnreachableError, "in a loop", pages=ByCursor(), records="items")
    asked.api.says("2", ONE)
    asked.fails(SourceUnreachableError, "pages 1 and 2 are equal")


def test_a_link_to_another_server_is_not_followed(asked: Asked) -> None:
    asked.api.says("", Answer([1], headers={"Link": '<http://127.0.0.2:1/orders?page=2>; rel="next"'}))
    asked.fails(SourceUnreachableError, "a link elsewhere is not followed", pages=ByLink())


def test_pages_and_bytes_are_bounded(asked: Asked) -> None:
    asked.fails(UsageError, "more than 1 pages", most_pages=1)
    asked.api.says("1", Answer(["x" * 600_000]))
    asked.api.says("2", Answer(["y" * 600_000]))
    asked.fails(UsageError, "more than 1 MB", most_megabytes=1, parameters={"from": "{start}"})


def test_a_resumed_run_does_not_pay_twice(asked: Asked) -> None:
    asked.api.says("2", DOWN)
    asked.fails(SourceUnreachableError, "503")
    asked.api.says("2", TWO)
    asked.api.asked.clear()
    assert asked.count() == 3
    assert asked.api.asked == ["2", "3"]


def test_pages_of_the_day_before_are_asked_for_anew(asked: Asked) -> None:
    asked.count()
    [folder] = (asked.lake / ".pages/churn").glob("*/*")
    for hours, requests in ((23, 0), (25, 3)):
        os.utime(folder, (0, time.time() - hours * 3600))
        asked.api.asked.clear()
        assert (asked.count(), len(asked.api.asked)) == (3, requests)


def test_a_remote_lake_leaves_no_pages_beside_itself(
    asked: Asked, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    source = asked.source()
    source.period = replace(source.period, raw="s3://lake/raw/churn")
    source.period.__dict__["taken"] = {}
    assert source.holds().records == 3
    [folder] = tmp_path.glob("feature-pages-*")
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert hash(source.declared)


def test_kept_pages_are_private_and_hold_no_token(asked: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_TOKEN", "s3cret")
    source = asked.source(auth="shop")
    listing = source.holds()
    assert asked.api.headers[0]["Authorization"] == "Bearer s3cret"
    kept = [*(asked.lake / ".pages").rglob("*")]
    texts = [file.read_text() for file in kept if file.is_file()]
    assert len(texts) == 3
    assert "s3cret" not in f"{texts} {kept} {listing} {source}"
    assert {stat.S_IMODE(each.stat().st_mode) & 0o077 for each in (asked.lake / ".pages", *kept)} == {0}


def test_an_empty_period_is_asked_for_anew(asked: Asked) -> None:
    asked.api.says("1", Answer([]))
    source = asked.source()
    assert source.holds().units == ()
    source.close()
    asked.api.says("1", ONE)
    assert asked.count() == 3
    asked.api.says("1", Answer([]))
    [unit] = asked.source(on_empty="accept", parameters={"from": "{start}"}).holds().units
    assert unit.records == 0


def test_numbers_keep_their_digits() -> None:
    document = Page("http://x/", "", '{"price": 1.10, "id": 12345678901234567890, "deep": [{"n": 1.50}]}').document
    assert [value_text(document[name]) for name in document] == ["1.10", "12345678901234567890", '[{"n": 1.50}]']
    assert json_text(document["deep"]) == '[{"n": 1.50}]'


TWICE = '[{"id": 1, "id": 2}, {"id": 3, "deep": {"n": 1, "n": 2}}, {"id": 4, "other": {"n": 1, "n": 2}}, {"id": 5}]'


def test_a_record_with_a_name_twice_is_refused() -> None:
    """As JSON lines refuse it; within what no column reads, nobody asks."""
    first, second, *others = CONTRACT.columns
    documents = Page("http://x/", "", TWICE).document
    for place in ("deep", "deep.n"):
        columns = (replace(first, source="id"), replace(second, source=place), *others)
        reader = DocumentReader(replace(CONTRACT, columns=columns), value_text, json_text)
        rows = [row for batch in reader.batches("/orders", documents) for row in batch.to_pylist()]
        refused = [(row["problem"], row["record"]) for row in rows if row["problem"]]
        assert refused == [
            ("name_twice", '{"id": 1, "id": 2}'),
            ("name_twice", '{"id": 3, "deep": {"n": 1, "n": 2}}'),
        ]
        assert [row[first.name] for row in rows if row[first.name]] == ["4", "5"]


@pytest.mark.parametrize(
    ("body", "records"),
    [
        ('{"items": [{"id": 1}], "items": []}', "items"),
        ('{"data": {"items": [{"id": 1}], "items": []}}', "data.items"),
        ('{"items": [{"id": 1}], "next": "2", "next": null}', "items"),
    ],
)
def test_a_page_with_a_name_twice_is_refused(asked: Asked, body: str, records: str) -> None:
    asked.api.says("", Answer(body))
    asked.fails(SourceUnreachableError, "twice in one object", pages=ByCursor(), records=records)


@pytest.mark.parametrize(
    "wrong", [{"base": "ftp://x"}, {"base": "https://me:pw@x"}, {"path": "orders"}, {"auth": "a b"}, {"rate": 0.0}]
)
def test_a_declaration_that_cannot_work_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ContractDeclarationError):
        Http(**{"base": "https://x", "path": "/orders", "pages": ByPage(), **wrong})
