"""The page of mentions: what was published, as text, on a desk and on a phone, in both colour schemes."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from common.runtime.settings import load_settings
from jobs.datasets.mentions import dashboard
from jobs.datasets.mentions.dashboard import is_spike, write_dashboard
from tests.support.browser import CHROMIUM, Browser, browser
from tests.support.published_mentions import EVIL, NEWEST, publish_mentions

NAMES_AN_ADDRESS = r"<(link|img|iframe|script src)|@import|url\(|innerHTML|eval\("


def written(root: Path, hours: int = 48) -> Path:
    return write_dashboard(load_settings("local", lake=str(root / "lake")), root / "mentions.html", hours)


def facts_of(page: Path) -> dict[str, Any]:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', page.read_text("utf-8"), re.S)
    assert found is not None
    return dict(json.loads(found[1]))


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("mentions")
    publish_mentions(root / "lake")
    return written(root)


def test_the_page_says_what_was_published(page: Path) -> None:
    facts = facts_of(page)
    assert (len(facts["hours"]), facts["hours"][-1]) == (48, str(NEWEST))
    kettle, other = facts["products"]
    assert (kettle["name"], kettle["mentions_1h"][-1], kettle["mentions_1h"][-6]) == ("kettle one", 50, None)
    assert (kettle["spiking"][-1], kettle["spiking"][-2], other["pending_7d"][-1]) == (True, False, 12)


def test_no_value_of_the_page_is_markup(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert facts_of(page)["products"][1]["name"] == EVIL
    assert EVIL not in text
    assert len(re.findall(r"</script", text, re.I)) == 2
    assert "default-src 'none'" in text
    assert not re.search(NAMES_AN_ADDRESS, text)
    assert '<meta http-equiv="refresh" content="300">' in text


def test_the_page_begins_with_the_first_hour_that_there_is(page: Path) -> None:
    assert len(facts_of(written(page.parent, 700))["hours"]) == 48
    assert facts_of(written(page.parent, 2))["hours"] == ["2026-01-05T12", "2026-01-05T13"]
    written(page.parent)


def test_a_lake_without_mentions_has_a_page_that_says_so(tmp_path: Path) -> None:
    assert facts_of(written(tmp_path))["hours"] == []


def test_a_spike_is_large_and_many_times_the_day_before() -> None:
    found = [is_spike(*pair) for pair in ((5, 3.0), (4, 9.0), (50, 2.9), (50, 0.0), (None, None))]
    assert found == [True, False, False, False, False]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("there is no chromium on the PATH")
    with browser(tmp_path_factory.mktemp("profile")) as started:
        yield started


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1400, 390])
def test_it_is_read_at_any_width_and_in_any_light(running: Browser, page: Path, width: int, scheme: str) -> None:
    running.problems.clear()
    running.look(width, scheme)
    running.open(page, "")
    assert running.run("document.documentElement.scrollWidth") <= width
    shown = running.text()
    assert EVIL in shown, "a value is text"
    assert re.search(r"Scores pending\s+12\s", shown)
    assert running.run("document.querySelectorAll('img').length") == 0
    assert running.run("performance.getEntriesByType('resource').length") == 0, "nothing is loaded"
    assert running.run("document.querySelectorAll('svg:not([aria-label])').length") == 0
    assert running.problems == []


@pytest.mark.parametrize("place", ["", " ", "s3://bucket/page.html", "."])
def test_the_page_goes_to_a_file_of_this_machine(place: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.MonkeyPatch.context() as patched, pytest.raises(SystemExit) as left:
        patched.setattr("sys.argv", ["dashboard", "--out", place])
        dashboard.main()
    assert left.value.code == 2
    assert f"{place!r} is no file of this machine" in capsys.readouterr().err
