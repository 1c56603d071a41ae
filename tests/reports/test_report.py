"""The report page shows the lake's results, escapes the data and loads nothing from the network."""

import re
import shutil
import subprocess
import sys
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import write_deltalake

from common.contracts import datasets
from common.days import days_between
from common.lake.files import write_json
from common.quality import gx
from common.quality.profiles import SCHEMA
from common.reports import report, svg

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
EVIL = "<script>alert('x')</script>"
COUNTS = {
    "ingest": {"landed": 1200, "accepted": 1190, "quarantined": 10, "refused_files": 0},
    "clean": {"rows_in": 1190, "accepted": 1000, "late": 100, "superseded": 0, "duplicates": 67, "quarantined": 23},
    "features": {"features": 321},
}
AGE = {
    "expectation": "ExpectColumnValuesToBeBetween(min_value=0, max_value=120)",
    "column": "age",
    "kind": "rows",
    "severity": "error",
    "checked": 1100,
}
PSI = {"expectation": "PsiToBeAtMost(0.25)", "column": "spend_30d", "kind": "drift", "severity": "warn", "limit": 0.25}


def ran(lake: Path, ds: str, *jobs: str, failed: str = "", message: str = "", dataset: str = "transactions") -> None:
    for job in jobs:
        line = {"job": job, "ds": ds, "counts": COUNTS.get(job, {}), "seconds": 1.0}
        write_json(f"{lake}/runs/{dataset}/{job}/{ds}.json", {"line": line, "failure": None})
    if failed:
        write_json(f"{lake}/runs/{dataset}/{failed}/{ds}.json", {"failure": {"message": message}})


def checked(lake: Path, ds: str, table: str, *results: dict[str, Any]) -> None:
    found = [{"success": True, "failed": 0, "examples": [], **result} for result in results]
    write_json(f"{lake}/results/transactions/{table}/{ds}.json", {"results": found})


def refused(lake: Path, ds: str, **copies: int) -> None:
    rows = [
        {"ds": date.fromisoformat(ds), "job": "clean", "copies": count, "reasons": [reason.replace("__", ":")]}
        for reason, count in copies.items()
    ]
    write_deltalake(
        f"{lake}/quarantine/transactions", pa.Table.from_pylist(rows), mode="append", partition_by=["ds", "job"]
    )


def profiled(lake: Path, ds: str, *columns: dict[str, Any]) -> None:
    rows = [{"ds": date.fromisoformat(ds), "label": "", "rows": 200, "nulls": 50, **each} for each in columns]
    write_deltalake(
        f"{lake}/profiles/transactions", pa.Table.from_pylist(rows, schema=SCHEMA), mode="append", partition_by=["ds"]
    )


@pytest.fixture
def lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three days: a good one, one that drifted, one that was stopped."""
    monkeypatch.setattr(datasets, "names", lambda: ["churn", "transactions"])
    lake = tmp_path / "lake"
    for ds in ("2026-01-05", "2026-01-06"):
        ran(lake, ds, *report.STEPS)
        checked(lake, ds, "processed", AGE)
    checked(lake, "2026-01-05", "features", {**PSI, "observed": 0.034})
    checked(lake, "2026-01-06", "features", {**PSI, "observed": 0.417, "success": False})
    ran(lake, "2026-01-07", "ingest", "validate-raw", "clean", failed="validate-processed", message=f"bad age {EVIL}")
    bad = {**AGE, "success": False, "failed": 64, "examples": ["200", EVIL]}
    fresh = {"expectation": "AgeInHoursToBeAtMost(24)", "kind": "freshness", "observed": 7.5, "limit": 24}
    checked(lake, "2026-01-07", "processed", bad, fresh)
    checked(
        lake,
        "2026-01-07",
        "raw",
        {"expectation": "RowsToBeAsUsual(weeks=4)", "kind": "volume", "observed": 1200, "limit": [1111, 1333]},
        {"expectation": "ExpectColumnToExist()", "column": "age", "success": False, "problem": "no such column"},
    )
    refused(lake, "2026-01-06", age__over_120=4)
    refused(lake, "2026-01-07", age__over_120=5, too_few_fields=2, **{EVIL: 1})
    top = [{"value": EVIL, "count": 90}, {"value": "food", "count": 60}]
    profiled(
        lake,
        "2026-01-07",
        {"table": "processed", "column": "category", "type": "string", "distinct": 2, "top": top},
        {"table": "processed", "column": "transaction_id", "type": "string", "distinct": 157},
        {"table": "processed", "column": "user_id", "type": "long", "distinct": 157},
        {"table": "processed", "column": "day", "type": "date", "smallest": "2026-01-01", "largest": "2026-01-07"},
        {
            "table": "processed",
            "column": "age",
            "type": "int",
            "distinct": 77,
            "mean": 41.5,
            "quantiles": [1.0, 40.0, 99.0],
        },
    )
    return lake


def draw(lake: Path, until: date | None = None, days: int = 30) -> str:
    return report.render_page(str(lake), report.windows_of(str(lake), until, days), days, lake.parent / "report.html")


def text_of(page: str) -> str:
    """The visible text: without tags, with single blanks."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", page.partition("<body>")[2]))


def test_the_page_shows_the_results_in_the_lake(lake: Path) -> None:
    page = draw(lake)
    seen = text_of(page)
    assert "1 of 2 datasets failed, 1 not measured" in seen
    assert "✕ Failed since 7 Jan" in seen
    assert "7 Jan: 1,200 landed, 1,100 accepted, 33 refused, expected 1,111 to 1,333" in seen
    assert "2026-01-07 1,200 1,100 67 33" in seen
    assert "age values to be between min_value=0, max_value=120" in seen
    assert "7 Jan: failed, 64 of 1,100 rows, for example 200," in page
    assert "7 Jan: could not run, no such column" in page
    assert "age over 120 9 0.25% 5" in seen
    assert "too few fields 2 0.06% 2" in seen
    assert "spend_ 30d features ! 0.417 0.25" in seen
    assert "7 Jan: 7.5 / 24" in seen
    assert "category string 25.0% 2 " in seen
    assert "transaction_ id string 25.0% 150 not shown" in seen, "a key differs in every row"
    assert "age int 25.0% ≈ 77 ± 2% – 41.5 –" in seen
    assert "user_ id long 25.0% ≈ 150 ± 2% not shown" in seen, "never more than there are values"
    assert "day date 25.0% – 2026-01-01 – 2026-01-07" in seen
    assert "2026-01-07 validate-processed bad age" in seen


def test_rules_are_shown_by_day_even_if_they_never_ran(lake: Path) -> None:
    row = next(each for each in draw(lake).split("<tr>") if "PSI to be at most" in each and "<td" in each)
    assert re.findall(r"<td[^>]*>(.)", row) == ["✓", "!", "·"]
    assert "6 Jan: warning, observed 0.417, limit 0.25" in row


def test_data_is_escaped_in_the_page(lake: Path) -> None:
    page = draw(lake)
    assert "<script" not in page.lower()
    assert page.count("&lt;script&gt;") >= 4


def test_the_page_loads_no_other_file(lake: Path) -> None:
    page = draw(lake)
    assert not re.search(r"https?:|//[a-z]|src=|url\(|@import|<link|<iframe", page, re.I)
    assert "default-src 'none'" in page
    assert {link[0] for link in re.findall(r'href="([^"]*)"', page)} == {"#"}


def test_existing_data_docs_are_linked(lake: Path) -> None:
    index = lake / gx.PAGE
    index.parent.mkdir(parents=True)
    index.touch()
    assert f'href="lake/{gx.PAGE}"' in draw(lake)


def test_missing_measurements_are_reported(tmp_path: Path) -> None:
    ran(tmp_path, "2026-01-05", *report.STEPS)
    seen = text_of(draw(tmp_path))
    assert "✓ All good on 5 Jan" in seen
    assert "3 not measured yet Freshness Drift: it needs some earlier days to compare with Profile" in seen
    assert "1 dataset not measured: churn" in seen
    assert "no rule has a result yet" in seen


def test_what_was_not_measured_is_folded_after_the_rest(lake: Path) -> None:
    page = draw(lake).partition("<body>")[2]
    before, _, folded = page.partition("<summary>1 dataset not measured: churn</summary>")
    assert "nothing has run in these days" not in before
    assert "nothing has run in these days" in folded.partition("</details>")[0]


def test_the_worst_dataset_and_rule_come_first(lake: Path) -> None:
    ran(lake, "2026-01-07", *report.STEPS, dataset="churn")
    cards = re.findall(r'<article class="card state-(\w+)"><header><h2><a href="#(\w+)"', draw(lake).replace("\n", ""))
    assert cards == [("failed", "transactions"), ("passed", "churn")]
    checked(lake, "2026-01-05", "processed", {**AGE, "column": "user_id", "success": False, "severity": "warn"}, AGE)
    grid = text_of(draw(lake)).partition("Rules over time")[2]
    assert grid.index("age values to be between") < grid.index("user_id values to be between".replace("_", "_ "))


def test_when_it_was_made_is_said_on_top(lake: Path) -> None:
    head = draw(lake).partition("<body>")[2].partition("<main>")[0]
    assert re.search(r"Made \d{4}-\d{2}-\d{2} \d{2}:\d{2} UTC", head)


def test_each_dataset_is_shown_to_its_own_newest_day(lake: Path) -> None:
    ran(lake, "2011-03-04", *report.STEPS, dataset="churn")
    seen = text_of(draw(lake))
    assert "30 days to the newest day of each dataset" not in seen
    assert "3 days to the newest day of each dataset" in seen
    assert "churn ✓ All good on 4 Mar" in seen
    assert "days behind" not in seen, "it is of another time"


def test_a_mistyped_day_in_the_future_moves_no_page(lake: Path) -> None:
    write_json(f"{lake}/runs/transactions/ingest/2062-01-05.json", {"failure": {"message": "nothing landed"}})
    seen = text_of(draw(lake))
    assert "3 days to 2026-01-07" in seen
    assert "2062" not in seen


def test_a_day_without_runs_is_not_shown_as_good(lake: Path) -> None:
    ran(lake, "2026-01-07", *report.STEPS)
    for table in ("raw", "processed"):
        checked(lake, "2026-01-07", table)
    assert "✓ All good since 7 Jan" in text_of(draw(lake))
    write_json(f"{lake}/runs/churn/ingest/2026-01-09.json", {"line": {"job": "ingest"}, "failure": None})
    seen = text_of(draw(lake))
    assert "Nothing has run since 7 Jan: 2 days behind" in seen
    assert "Not yet run on 9 Jan: validate-raw, clean," in seen
    assert "✓ All good" not in seen


def test_closed_days_are_neither_behind_nor_undone(lake: Path) -> None:
    friday, saturday, monday = "2026-01-09", "2026-01-10", "2026-01-12"
    ran(lake, friday, *report.STEPS)
    closed = {"job": "ingest", "outcome": "closed", "counts": {}, "seconds": 0.1}
    write_json(f"{lake}/runs/transactions/ingest/{saturday}.json", {"line": closed, "failure": None})
    window = [str(day) for day in days_between(date(2026, 1, 9), date(2026, 1, 12))]
    shown = report.dataset_report(str(lake), "transactions", window, monday)
    assert (shown.newest, shown.days_behind, shown.undone) == (friday, 3, [])
    weekends_off = replace(shown, contract=replace(shown.contract, closed=("sat", "sun")))
    assert (weekends_off.days_behind, weekends_off.verdict) == (1, "warned")
    assert replace(weekends_off, latest=saturday).verdict == "passed"


def test_unchecked_rows_are_shown_separately(lake: Path) -> None:
    assert "not processed yet" not in text_of(draw(lake))
    ran(lake, "2026-01-08", "ingest")
    assert "refused not processed yet duplicates dropped accepted expected" in text_of(draw(lake))


def test_a_day_without_expected_volume_shows_why(lake: Path) -> None:
    limit = "unknown: not enough history, 1 of 2 such weekdays"
    usual = {"expectation": "RowsToBeAsUsual(weeks=4)", "kind": "volume", "observed": 1200, "limit": limit}
    checked(lake, "2026-01-07", "raw", usual)
    seen = text_of(draw(lake))
    assert "rows landed 1,200 usual: not enough history, 1 of 2 such weekdays" in seen
    assert "7 Jan: 1,200 landed, 1,100 accepted, 33 refused, " not in seen, "no band is drawn"


def complaints(page: Path) -> list[str]:
    """The messages in a browser's console after opening the page."""
    flags = (
        "--headless --no-sandbox --disable-gpu --no-first-run --disable-background-networking --enable-logging=stderr"
    )
    command = [str(CHROMIUM), *flags.split(), f"--user-data-dir={page.parent}/profile", "--dump-dom", page.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    assert "</footer>" in done.stdout, "the page did not open"
    return [line for line in done.stderr.splitlines() if "CONSOLE" in line]


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium on the PATH")
def test_a_browser_reports_no_problem(lake: Path) -> None:
    """The page's policy forbids every request, so the console would show one."""
    page = lake.parent / "report.html"
    page.write_text(draw(lake), encoding="utf-8")
    assert complaints(page) == []
    page.write_text(page.read_text().replace("<main>", '<main><img src="https://localhost/x.png">'), encoding="utf-8")
    assert len(complaints(page)) == 1


def test_a_chosen_day_ends_the_window(lake: Path) -> None:
    seen = text_of(draw(lake, date(2026, 1, 6), days=2))
    assert "2 days to 2026-01-06" in seen
    assert "7 Jan" not in seen
    assert "! Warnings since 6 Jan" in seen


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ([], 4, "nothing has run yet in"),
        (["--days", "0"], 2, "--days 0"),
        (["--env", "x"], 2, "--env 'x'"),
        (["--ds", "2062-01-05"], 2, "in the future"),
    ],
)
def test_a_missing_lake_is_reported(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    code: int,
    said: str,
) -> None:
    monkeypatch.setenv("LAKE", str(tmp_path))
    monkeypatch.setattr(sys, "argv", ["report", *arguments, "--out", str(tmp_path / "report.html")])
    with pytest.raises(SystemExit) as stopped:
        report.main()
    assert stopped.value.code == code
    assert said in capsys.readouterr().err
    assert not (tmp_path / "report.html").exists()


def test_the_command_writes_the_page_and_prints_its_path(
    lake: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = lake.parent / "new" / "report.html"
    monkeypatch.setenv("LAKE", str(lake))
    monkeypatch.setattr(sys, "argv", ["report", "--out", str(out), "--ds", "2026-01-06"])
    report.main()
    assert capsys.readouterr().out == f"{out}\n"
    page = out.read_text()
    assert page.startswith("<!doctype html>")
    assert "2 days to 2026-01-06" in text_of(page)


def test_by_default_the_page_lies_beside_its_lake(
    lake: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LAKE", str(lake))
    monkeypatch.setattr(sys, "argv", ["report"])
    report.main()
    assert capsys.readouterr().out == f"{lake.parent / 'report.html'}\n"
    assert (lake.parent / "report.html").exists()


def test_histogram_heights_are_densities() -> None:
    heights = re.findall(r"v-([\d.]+)", svg.histogram([0, 1, 2, 3, 4, 16], "ages"))
    assert heights[:4] == ["24"] * 4
    assert set(heights[4:]) == {"2"}
    assert svg.histogram([5, 5, 5], "all the same") == ""


def test_values_that_are_no_numbers_are_not_drawn() -> None:
    assert svg.number(float("nan")) is None
    assert svg.number(True) is None
    assert svg.number("7") is None
    assert svg.spark_line([None, None], None, "nothing") == ""
    assert svg.bands([[1, 2], [1, float("inf")], None, 3]) == [(1, 2), None, None, None]
