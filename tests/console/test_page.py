"""The console says what `make status` and the plan say, holds every value as text, and loads nothing."""

from __future__ import annotations

import json
import re
import shutil
import sys
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from common.console import distributions, feature_pages, page, training_pages
from common.contracts import datasets
from common.contracts.documents import odcs
from common.errors import PipelineError
from common.lake.storage.files import write_json
from common.orchestration import staleness
from common.orchestration.job import run_day
from common.published.catalog import Lake
from common.quality import gx
from common.runtime.run import Run
from common.runtime.settings import Settings, load_settings
from jobs.datasets.churn.contract import CONTRACT
from jobs.deliver import DELIVER
from tests.support.console_lake import EVIL, ConsoleLake
from tests.support.datasets import datasets_in, spoil
from tests.support.published_tables import publish
from tests.support.visits import write_visits

Facts = dict[str, Any]


def facts_of(page: Path) -> Facts:
    """The page's data, as a browser takes it out of the page."""
    text = page.read_text(encoding="utf-8").partition('id="data">')[2].partition("</script>")[0]
    return dict(json.loads(text))


def dataset_of(page: Path, name: str) -> Facts:
    return next(each for each in facts_of(page)["datasets"] if each["name"] == name)


def states_of(dataset: Facts) -> dict[str, str]:
    first = date.fromisoformat(dataset["grid"]["first"])
    return {str(first + timedelta(days=place)): state for place, state in enumerate(dataset["grid"]["states"])}


@pytest.fixture
def alone(lakes: dict[str, ConsoleLake], tmp_path: Path) -> Settings:
    """A copy to change."""
    shutil.copytree(lakes["transactions"].root, tmp_path / "own")
    return load_settings("local", lake=f"{tmp_path}/own/lake", landing=f"{tmp_path}/own/landing")


def test_each_day_has_the_state_that_it_is_in(console_page: Path, lakes: dict[str, ConsoleLake]) -> None:
    lake = lakes["transactions"]
    found = states_of(dataset_of(console_page, "transactions"))
    assert len(found) == 40
    expected = dict.fromkeys(found, "p") | {str(ds): "w" for ds in lake.warned} | {str(ds): "f" for ds in lake.failed}
    assert found == expected
    assert "f" in found.values()


def test_status_and_console_agree_on_stale_days(console_page: Path, console_settings: Settings) -> None:
    for name in ("transactions", "churn"):
        found = states_of(dataset_of(console_page, name))
        stale = {str(ds) for ds in staleness.all_stale(name, console_settings)}
        assert {ds for ds, state in found.items() if state == "s"} == stale - {ds for ds in found if found[ds] == "f"}
    assert stale, "one dataset has late rows"
    note = dataset_of(console_page, "churn")["grid"]["notes"][min(stale)]
    assert note["why"], "it says why"


def test_a_landed_day_waits_and_a_gap_was_not_run(alone: Settings, tmp_path: Path) -> None:
    next_day, later = date(2026, 2, 1), date(2026, 2, 3)
    for ds in (next_day, later):
        folder = Path(alone.landing) / "transactions" / f"ds={ds}"
        folder.mkdir(parents=True)
        (folder / "part.csv").write_text("id\n")
    written, *_ = page.write_console(alone, tmp_path / "out")
    found = states_of(dataset_of(written, "transactions"))
    assert [found[str(next_day + timedelta(days=place))] for place in range(3)] == ["a", "n", "a"]


def test_states_need_no_log_of_runs(alone: Settings, tmp_path: Path, console_page: Path) -> None:
    shutil.rmtree(f"{alone.lake}/runs")
    written, *_ = page.write_console(alone, tmp_path / "out")
    for name in ("transactions", "churn"):
        before, after = (states_of(dataset_of(each, name)) for each in (console_page, written))
        assert after == {ds: state.replace("w", "p") for ds, state in before.items()}


def test_only_the_newest_days_are_shown(alone: Settings, tmp_path: Path) -> None:
    write_json(f"{alone.lake}/runs/transactions/ingest/2062-01-05.json", {"failure": {"message": "nothing landed"}})
    written, *_ = page.write_console(alone, tmp_path / "out", days=7)
    found = states_of(dataset_of(written, "transactions"))
    assert (len(found), max(found)) == (7, "2026-01-31"), "a day in the future was mistyped"


def test_no_value_leaves_the_data(console_page: Path) -> None:
    text = console_page.read_text(encoding="utf-8")
    assert EVIL not in text
    assert len(re.findall(r"</script", text, re.I)) == 2
    assert "\\u003c/script\\u003e" in text
    (failure,) = dataset_of(console_page, "transactions")["grid"]["notes"]["2026-01-31"]["failures"]
    assert failure["rules"][0]["examples"] == ["200", EVIL]


def test_no_text_turns_or_hides_what_stands_beside_it() -> None:
    hostile = "a\u202eb\x1b[2J\u200bc\x00\nd"
    facts = {hostile: [hostile, (hostile,), {"x": hostile}], "number": [float("nan"), float("inf"), 1.5, True, None, 3]}
    found = json.loads(re.findall(r'id="data">(.*?)</script>', page.page_of(facts), re.S)[0])
    escaped = "a\\u202eb\\x1b[2J\\u200bc\\x00\nd"
    numbers = [None, None, 1.5, True, None, 3]
    assert found == {escaped: [escaped, [escaped], {"x": escaped}], "number": numbers}


def test_two_lakes_have_two_pages(alone: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name, lake in (("one", alone.lake), ("other", str(tmp_path / "other one/lake"))):
        monkeypatch.setenv("LAKE", lake)
        monkeypatch.setattr(sys, "argv", ["console"])
        page.main()
        written = Path(lake).parent / "console/index.html"
        states = dataset_of(written, "churn")["grid"]["states"]
        assert bool(states) == (name == "one")
        assert facts_of(written)["lake"] == lake


def test_the_page_names_no_address(console_page: Path) -> None:
    text = console_page.read_text(encoding="utf-8")
    addresses = set(re.findall(r"https?://[^\s'\"`)]+", text)) - {"http://www.w3.org/2000/svg"}
    assert addresses == set()
    assert not re.search(r"<(link|img|iframe|script src)|@import|url\(|innerHTML|eval\(", text)
    assert "default-src 'none'" in text


def test_sensitive_examples_are_masked(console_page: Path) -> None:
    examples = [line for each in dataset_of(console_page, "churn")["refusals"] for line in each["examples"]]
    assert examples
    assert not [line for line in examples if line.count(EVIL) and "customer_id = " in line and "(masked)" not in line]
    assert any("(masked)" in line for line in examples)


def test_refused_records_are_counted_by_reason(console_page: Path) -> None:
    found = {each["reason"]: each["records"] for each in dataset_of(console_page, "transactions")["refusals"]}
    odd = sum((date(2026, 1, 31) - timedelta(days=back)).day % 2 for back in range(40))
    assert found == {"transaction_id:missing": 40, "too_few_fields": odd}


def test_a_dataset_whose_calendar_fails_hides_no_other(alone: Settings, tmp_path: Path) -> None:
    sets = tmp_path / "sets"
    visits = write_visits(sets)
    spoil(visits / "contract.py", 'event_time="day",', 'event_time="day", closed=lambda day: 1 / 0,')
    (Path(alone.landing) / "visits" / "ds=2026-01-05").mkdir(parents=True)
    (Path(alone.landing) / "visits" / "ds=2026-01-05" / "part.csv").write_text("visit_id\n")
    with datasets_in(sets):
        written, *_ = page.write_console(alone, tmp_path / "out")
    assert re.search(r"contract.py:\d+: closed: ZeroDivisionError", dataset_of(written, "visits")["fault"])
    assert states_of(dataset_of(written, "churn"))


def test_a_dataset_that_cannot_be_read_is_shown(
    alone: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sets" / "broken").mkdir(parents=True)
    (tmp_path / "sets" / "broken" / "contract.py").write_text("CONTRACT = 1\n")
    import jobs.datasets

    monkeypatch.setattr(jobs.datasets, "__path__", [*jobs.datasets.__path__, str(tmp_path / "sets")])
    written, *_ = page.write_console(alone, tmp_path / "out")
    assert "CONTRACT is a int" in dataset_of(written, "broken")["fault"]
    assert states_of(dataset_of(written, "churn"))


def test_data_docs_are_linked_where_they_are(alone: Settings, tmp_path: Path, console_page: Path) -> None:
    assert facts_of(console_page)["docs"] == ""
    index = Path(alone.lake) / gx.PAGE
    index.parent.mkdir(parents=True)
    index.touch()
    written, *_ = page.write_console(alone, tmp_path / "out")
    assert (tmp_path / "out" / facts_of(written)["docs"]).resolve() == index.resolve()


def test_publications_say_what_they_brought(tmp_path: Path) -> None:
    publish(tmp_path, "ds | user_id | spend\n2026-01-01 | 1 | 1.00\n2026-01-02 | 1 | 1.00")
    publish(tmp_path, "ds | user_id | spend\n2026-01-02 | 1 | 1.00\n2026-01-02 | 2 | 3.00", mode="overwrite")
    newest, first = feature_pages.publications(Lake(str(tmp_path)).features("purchases").versions())
    names = ("new", "changed", "same", "more rows")
    assert dict(zip(names, first[4:8], strict=True)) == {"new": 2, "changed": 0, "same": 0, "more rows": 0}
    assert dict(zip(names, newest[4:8], strict=True)) == {"new": 0, "changed": 1, "same": 0, "more rows": 1}


def test_who_got_a_table_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    publish(tmp_path, "ds | user_id | spend\n2026-01-01 | 1 | 1.00\n2026-01-02 | 1 | 1.00", "churn/v1")
    targets = {name: {"kind": "csv", "path": str(tmp_path / name)} for name in ("shelf", "dropped")}
    monkeypatch.setenv("DELIVERIES", json.dumps(targets))
    settings = load_settings("local", lake=str(tmp_path))
    for target, ds in (("shelf", "2026-01-01"), ("shelf", "2026-01-02"), ("dropped", "2026-01-02")):
        run = Run(
            "deliver", datasets.load("churn"), date.fromisoformat(ds), settings, "run", "", options={"to": target}
        )
        if target == "dropped":
            (tmp_path / target).write_text("a file where its folder should be")
            with pytest.raises(PipelineError):
                run_day(DELIVER, run)
        else:
            run_day(DELIVER, run)
    facts = feature_pages.uses(Lake(str(tmp_path)).features("churn"), [], [], settings)
    [failed, done] = facts["deliveries"]
    assert done[:3] == ["shelf", 2, "2026-01-02"]
    assert failed[0] == "dropped"
    assert "can't be written" in failed[4]


def test_fitted_values_of_sensitive_columns_are_masked() -> None:
    steps = [
        {"step": "OneHot", "declared": {"column": "city"}, "fitted": {"categories": ["Bonn"]}},
        {"step": "OneHot", "declared": {"column": "gender"}, "fitted": {"categories": ["Male"]}},
    ]
    inputs = {"days": ["2026-01-01", "2026-01-02"], "versions": {"people@v1": 3}}
    manifest = {"name": "baseline", "version": 1, "created_at": "2026-01-03T00:00:00", "inputs": inputs}
    manifest |= {"counts": {}, "splits": {}, "fitted": json.dumps({"steps": steps})}
    (shown,) = training_pages.training_facts([manifest], frozenset({"city"}))
    assert [fitted for _, _, fitted, _ in shown["steps"]] == ["(masked)", '{"categories": ["Male"]}']


def test_a_fitted_step_says_what_becomes_of_missing_values() -> None:
    steps = [{"step": name, "declared": {}, "fitted": {}} for name in ("Impute", "Theirs", "__doc__")]
    manifest = {"name": "baseline", "version": 1, "created_at": "2026-01-03T00:00:00", "counts": {}, "splits": {}}
    manifest |= {"inputs": {"days": [], "versions": {}}, "fitted": json.dumps({"steps": steps})}
    (shown,) = training_pages.training_facts([manifest], frozenset())
    words, *others = [words for *_, words in shown["steps"]]
    assert "For a null group, or one without values in the train split, use the median of all rows" in words
    assert others == ["", ""], "of a step of their own, and of a name that is none"


def test_histogram_heights_are_densities() -> None:
    heights = distributions.bins([0, 1, 2, 3, 4, 20])
    assert heights[:4] == [1000] * 4
    assert set(heights[5:]) == {62}
    assert distributions.bins([5, 5, 5]) == []


def test_the_command_writes_beside_the_lake(
    alone: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LAKE", alone.lake)
    monkeypatch.setenv("LANDING", alone.landing)
    monkeypatch.setattr(sys, "argv", ["console"])
    page.main()
    folder = Path(alone.lake).parent / "console"
    assert capsys.readouterr().out.splitlines()[0] == str(folder / "index.html")
    document = yaml.safe_load((folder / "churn.odcs.yaml").read_text())
    assert document == yaml.safe_load(odcs.document(CONTRACT).to_yaml())


@pytest.mark.parametrize(("arguments", "said"), [(["--days", "0"], "--days 0"), (["--env", "x"], "--env 'x'")])
def test_a_wrong_argument_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    monkeypatch.setattr(sys, "argv", ["console", *arguments])
    with pytest.raises(SystemExit) as stopped:
        page.main()
    assert stopped.value.code == 2
    assert said in capsys.readouterr().err


def test_an_empty_lake_has_a_page(tmp_path: Path) -> None:
    settings = load_settings("local", lake=f"{tmp_path}/lake", landing=f"{tmp_path}/landing")
    written, *_ = page.write_console(settings, tmp_path / "out")
    assert [each["grid"]["states"] for each in facts_of(written)["datasets"]] == [""] * len(datasets.names())
