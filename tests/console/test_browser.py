"""The console in a browser: clicked through, by keyboard, on a phone, in both colour schemes."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest

from common.contracts import datasets
from tests.support.browser import CHROMIUM, Browser, browser
from tests.support.console_lake import EVIL, ConsoleLake

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium on the PATH")
PARTS = ("", "/rules", "/quarantine", "/drift", "/columns", "/lineage", "/lineage/spend_7d", "/contract")
PAGES = ("#/", "#/f", "#/f/transactions@v1", "#/f/churn@v1", "#/t", *(f"#/d/transactions{part}" for part in PARTS))
WIDE = "document.documentElement.scrollWidth > 390"  # innerWidth grows with what does not fit
NAMELESS = """[...document.querySelectorAll('button, a, input')]
    .filter((each) => !(each.innerText.trim() || each.getAttribute('aria-label') || each.labels?.length)).length"""


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with browser(tmp_path_factory.mktemp("profile")) as started:
        yield started


@pytest.fixture
def tab(running: Browser, console_page: Path) -> Browser:
    running.problems.clear()
    running.look(1400)
    running.open(console_page)
    running.go("#/")
    return running


def test_a_failed_day_is_found_by_clicking(tab: Browser, lakes: dict[str, ConsoleLake]) -> None:
    last = lakes["transactions"].failed[-1]
    assert f"1 of {len(datasets.names())} datasets failed" in tab.text("h1")
    tab.click(".card .day.failed")
    assert tab.run("location.hash") == f"#/d/transactions/{last}"
    shown = tab.text(".day-detail")
    assert "transaction_id values to not be null" in shown
    assert "64 of 1,500 rows" in shown
    assert EVIL in shown, "a value is text"
    assert f"jobs/backfill.py --dataset transactions --ds {last}" in shown
    assert tab.run("document.querySelectorAll('img').length") == 0
    assert tab.problems == []


def test_every_page_opens_without_a_complaint(tab: Browser) -> None:
    for address in PAGES:
        tab.go(address)
        assert tab.text("h1"), address
        assert "There is no such page" not in tab.text(), address
        assert tab.run(NAMELESS) == 0, address
    assert tab.run("performance.getEntriesByType('resource').length") == 0, "nothing is loaded"
    assert tab.problems == []


def test_a_day_is_reached_by_keyboard(tab: Browser, lakes: dict[str, ConsoleLake]) -> None:
    tab.go("#/d/churn")
    tab.run("document.querySelector('.calendar [tabindex=\"0\"]').focus()")
    started = tab.run("document.activeElement.dataset.ds")
    for key, away in {"ArrowLeft": 7, "ArrowUp": 8, "ArrowDown": 7, "ArrowRight": 0}.items():
        tab.press(key)
        reached = date.fromisoformat(started) - timedelta(days=away)
        assert tab.run("document.activeElement.dataset.ds") == str(reached), key
    tab.press("Home")
    assert tab.run("document.activeElement.dataset.ds") == tab.run("daysOf(byName('churn'))[0]")
    assert tab.run("document.querySelectorAll('.calendar [tabindex=\"0\"]').length") == 1, "one stop for the Tab key"
    tab.press("Enter")
    assert tab.run("spoken(daysOf(byName('churn'))[0])") in tab.text(".day-detail h2")


def test_search_leads_to_a_feature(tab: Browser) -> None:
    tab.press("/")
    tab.type("favourite category")
    assert "favourite_category_30d" in tab.text("#found")
    tab.press("ArrowDown")
    assert tab.run("document.querySelector('[aria-selected=true] b').innerText") == "favourite_category_30d"
    tab.press("Enter")
    tab.until("location.hash.includes('favourite_category_30d')")
    assert tab.text("h1") == "transactions@v1"


def test_lineage_shows_what_a_feature_is_made_of(tab: Browser) -> None:
    tab.go("#/d/transactions/lineage")
    tab.run(
        "[...document.querySelectorAll('.lane:nth-of-type(4) .column')].find((e) => e.innerText === 'spend_7d').click()"
    )
    told = tab.text(".told")
    for column in (
        "landing/transactions.purchase_amount",
        "processed/transactions.purchase_amount",
        "published/transactions/v1",
    ):
        assert column in told
    assert "transactions.category" not in told
    assert tab.run("document.querySelectorAll('.lines path.lit').length") > 3


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_fits_a_phone(tab: Browser, scheme: str) -> None:
    tab.look(390, scheme)
    backgrounds = set()
    for address in PAGES:
        tab.go(address)
        assert not tab.run(WIDE), address
        backgrounds.add(tab.run("getComputedStyle(document.body).backgroundColor"))
    assert len(backgrounds) == 1
    assert (backgrounds == {"rgb(17, 19, 21)"}) == (scheme == "dark")


def test_a_script_of_another_is_not_run(tab: Browser, console_page: Path, tmp_path: Path) -> None:
    """The policy allows our own script alone: one that got into the page all the same would do nothing."""
    changed = tmp_path / "index.html"
    changed.write_text(console_page.read_text().replace("<footer", "<script>window.ran = 1</script><footer"))
    tab.open(changed)
    assert tab.run("window.ran") is None
    assert len(tab.problems) == 1
