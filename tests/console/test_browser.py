"""The console in a browser: clicked through, by keyboard, on a phone, in both colour schemes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest

from common.console import page
from common.contracts import datasets
from common.days import day_range, from_text, shifted
from common.runtime.settings import load_settings
from tests.support.browser import CHROMIUM, Browser, browser
from tests.support.console_lake import EVIL, ConsoleLake

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium on the PATH")
PARTS = ("", "/rules", "/quarantine", "/drift", "/columns", "/lineage", "/lineage/spend_7d", "/contract")
PAGES = ("#/", "#/f", "#/f/transactions@v1", "#/f/churn@v1", "#/t", *(f"#/d/transactions{part}" for part in PARTS))
WIDE = "document.documentElement.scrollWidth > 390"  # innerWidth grows with what does not fit
# A row of links that is swiped moves sideways only.
UPWARDS = """[...document.querySelectorAll('.parts')]
    .filter((each) => each.scrollHeight > each.clientHeight && getComputedStyle(each).overflowY !== 'hidden').length"""
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


@pytest.fixture(scope="module")
def hourly_page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Mentions of 50 hours from a Sunday's 23:00 on: one hour failed, and the next three did not run."""
    lake = ConsoleLake(tmp_path_factory.mktemp("hourly"), "mentions")
    hours = day_range(from_text("2026-01-04T23"), 0, 49)
    lake.fill([hour for place, hour in enumerate(hours) if not 31 <= place < 34], failed=(hours[30],))
    settings = load_settings("local", lake=lake.lake, landing=lake.landing, online=f"sqlite:///{lake.root}/online.db")
    return page.write_console(settings, lake.root / "console")[0]


@pytest.fixture
def hours(running: Browser, hourly_page: Path) -> Browser:
    running.problems.clear()
    running.look(1400)
    running.open(hourly_page)
    return running


def test_hours_are_shown_as_hours(hours: Browser) -> None:
    hours.go("#/d/mentions/2026-01-06T05")
    shown = hours.run("[...document.querySelectorAll('.calendar [data-ds]')].map((e) => e.dataset.ds).sort()")
    assert shown == [str(hour) for hour in day_range(from_text("2026-01-04T23"), 0, 49)]
    titles = (
        "[...document.querySelectorAll('.calendar .{}')].map((e) => e.title.split(':').slice(0, 2).join(':')).sort()"
    )
    assert hours.run(titles.format("failed")) == ["Tue 6 Jan 2026, 05:00"]
    assert hours.run(titles.format("not-run")) == [f"Tue 6 Jan 2026, 0{hour}:00" for hour in (6, 7, 8)]
    assert [hours.text(f".calendar tbody tr:nth-child({row}) th") for row in (1, 24)] == ["00", "23"]
    assert hours.text(".day-detail h2") == "Tue 6 Jan 2026, 05:00"
    assert "jobs/backfill.py --dataset mentions --ds 2026-01-06T05" in hours.text(".day-detail")
    assert "hour before" in hours.text(".day-detail header")
    hours.click(".day-detail .turn a")
    assert hours.text(".day-detail h2") == "Tue 6 Jan 2026, 04:00"
    assert hours.problems == []


def test_no_page_of_hours_speaks_of_days(hours: Browser) -> None:
    for part in ("", "/rules", "/quarantine", "/drift", "/columns"):
        hours.go(f"#/d/mentions{part}")
        assert re.findall(r"\bdays?\b", hours.text().replace("will not read this day", ""), re.I) == [], part
        for label in hours.run("[...document.querySelectorAll('main [aria-label]')].map((e) => e.ariaLabel)"):
            assert not re.search(r"\bdays?\b", label, re.I), label
    hours.go("#/f/mentions@v1")
    assert "hours" in hours.text()
    assert not re.search(r"and day\b|30 days|new days?\b", hours.text())
    assert hours.problems == []


def test_an_hour_is_reached_by_keyboard(hours: Browser) -> None:
    hours.go("#/d/mentions")
    hours.run("document.querySelector('.calendar [tabindex=\"0\"]').focus()")
    started = from_text(hours.run("document.activeElement.dataset.ds"))
    for key, away in {"ArrowLeft": 24, "ArrowUp": 25, "ArrowDown": 24, "ArrowRight": 0}.items():
        hours.press(key)
        assert hours.run("document.activeElement.dataset.ds") == str(shifted(started, -away)), key


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_fits_a_phone(tab: Browser, scheme: str) -> None:
    tab.look(390, scheme)
    backgrounds = set()
    for address in PAGES:
        tab.go(address)
        assert not tab.run(WIDE), address
        assert tab.run(UPWARDS) == 0, address
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
