"""The command `features plan`: what it prints and exits with."""

from __future__ import annotations

import gc
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from pathlib import Path
from threading import Thread
from typing import Any

import jsonschema
import pytest

from common.contracts import layout
from common.orchestration import verdicts
from common.orchestration.verdicts import Verdict
from common.planning.foresight import When
from common.planning.plan import plan_dataset
from common.reader.cli import main
from common.sources.files.landing import Landing
from tests.support.datasets import datasets_in, spoil
from tests.support.long_lake import LongLake
from tests.support.ports import free_port
from tests.support.visits import write_visits

FIRST = date(2026, 1, 1)
DAYS = [FIRST + timedelta(days=number) for number in range(8)]
THIRD, FOURTH, LAST = DAYS[2], DAYS[3], DAYS[-1]


@pytest.fixture(autouse=True)
def this_process_goes_on() -> Iterator[None]:
    """The command takes it for granted that its process ends."""
    yield
    gc.unfreeze()


@pytest.fixture
def lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LongLake:
    """Eight days of visits, whose features look back over three days, and whose events may be two days late."""
    write_visits(tmp_path / "datasets")
    monkeypatch.setattr("sys.dont_write_bytecode", True)
    monkeypatch.setenv("LANDING", str(tmp_path / "landing"))
    monkeypatch.setenv("COLUMNS", "80")
    with datasets_in(tmp_path / "datasets"):
        lake = LongLake(tmp_path, "visits")
        lake.write(DAYS)
    return lake


def plan(lake: LongLake, *words: str) -> int:
    with datasets_in(lake.root / "datasets"):
        return main(["plan", "--lake", lake.lake, *(words or ("--dataset", "visits"))])


def shown(lake: LongLake, capsys: pytest.CaptureFixture[str], *words: str) -> list[str]:
    plan(lake, *words)
    return [line.rstrip() for line in capsys.readouterr().out.splitlines()]


def as_json(lake: LongLake, capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, Any]:
    plan(lake, "--dataset", "visits", "--json", *words)
    printed: dict[str, Any] = json.loads(capsys.readouterr().out)
    schema = json.loads((files("common.planning") / "plan.schema.json").read_text())
    jsonschema.validate(printed, schema, cls=jsonschema.Draft202012Validator)
    return printed


def change_contract(lake: LongLake, old: str, new: str) -> None:
    spoil(lake.root / "datasets/visits/contract.py", old, new)


def test_a_lake_that_is_up_to_date_has_nothing_to_run(lake: LongLake, capsys: pytest.CaptureFixture[str]) -> None:
    assert shown(lake, capsys) == ["visits: up to date (8 days)"]
    assert shown(lake, capsys, "--dataset", "visits", "churn")[1] == "churn: no day has landed yet"
    assert shown(lake, capsys, "--dataset", "visits", "--ds", str(THIRD)) == ["visits: up to date (1 day)"]
    assert shown(lake, capsys, "--dataset", "visits", "--ds", "2026-02-01") == [
        "visits: nothing to run",
        "  Nothing has landed for 2026-02-01, and nothing was ingested: a backfill has",
        "  nothing to run there.",
    ]


def test_days_with_the_same_steps_are_folded(lake: LongLake, capsys: pytest.CaptureFixture[str]) -> None:
    lake.land(THIRD, "visit_id\n7\n")
    assert shown(lake, capsys) == [
        "visits: 3 of 8 days",
        "  2026-01-03",
        "    ingest                   the source has changed",
        "    validate-raw to publish  if its rows change",
        "  2026-01-04..2026-01-05",
        "    features to publish      if rows of 2026-01-03 change",
        "  Later days that repeat a record of these days are cleaned again too, and the",
        "  windows over them are rebuilt.",
        "",
        "To run: 1 step on 1 day; no past run tells how long they take.",
        "If rows change, in all: 13 steps on 3 days; no past run tells how long they",
        "take.",
    ]


def test_days_are_folded_over_days_that_never_come(lake: LongLake, capsys: pytest.CaptureFixture[str]) -> None:
    """Or a source that is closed at weekends would have a group for each week."""
    for number in (2, 3, 4, 7):
        lake.land(LAST + timedelta(days=number))
    assert shown(lake, capsys)[:3] == [
        "visits: 4 of 12 days",
        "  2026-01-10..2026-01-15 (4 days)",
        "    ingest to publish  never ran",
    ]


def test_late_rows_are_named_with_their_events(lake: LongLake, capsys: pytest.CaptureFixture[str]) -> None:
    beside = lake.beside(layout.quarantine(lake.contract), layout.superseded(lake.contract))
    late = {"touched": [str(THIRD)], "run_id": "again", "resettled": [], **beside}
    lake.commit(layout.processed(lake.contract), "clean", FOURTH, [layout.raw(lake.contract)], late)
    lines = shown(lake, capsys)
    assert lines[1:3] == ["  2026-01-04", "    validate-processed, features  its rows of processed have changed"]
    assert "  2026-01-05" in lines
    assert lines[lines.index("  2026-01-05") + 1].endswith("rows that arrived on 2026-01-04 have changed,")
    assert lines[lines.index("  2026-01-05") + 2].endswith("events of 2026-01-03")


def test_chosen_days_come_with_those_that_they_make_stale(lake: LongLake, capsys: pytest.CaptureFixture[str]) -> None:
    lake.land(THIRD, "visit_id\n7\n")
    lake.land(LAST, "visit_id\n7\n")
    steps = as_json(lake, capsys, "--ds", str(THIRD))["datasets"][0]["steps"]
    likely = [step for step in steps if step["when"] != "if_repeated"]
    assert {step["ds"] for step in likely} == {"2026-01-03", "2026-01-04", "2026-01-05"}
    first, second, *_ = steps
    assert (first["step"], first["when"], first["after"]) == ("ingest", "now", [])
    assert (second["when"], second["after"]) == ("if_changed", [{"ds": "2026-01-03", "step": "ingest"}])


def test_a_stale_day_that_joins_is_as_certain_as_its_cause(lake: LongLake, capsys: pytest.CaptureFixture[str]) -> None:
    """The backfill looks at it only if it is stale, and then runs all that is not up to date."""
    lake.land(THIRD, "visit_id\n7\n")
    lake.land(FOURTH, "visit_id\n7\n")
    steps = as_json(lake, capsys, "--ds", str(THIRD))["datasets"][0]["steps"]
    (fourth,) = [step for step in steps if (step["ds"], step["step"]) == (str(FOURTH), "ingest")]
    assert (fourth["when"], fourth["why"]) == ("if_changed", "if rows of 2026-01-03 change; the source has changed")


def test_a_wider_window_names_the_partitions_of_the_next_version(
    lake: LongLake, capsys: pytest.CaptureFixture[str]
) -> None:
    change_contract(lake, "Count(3)", "Count(60)")
    refused = as_json(lake, capsys)["datasets"][0]
    assert 'visits_3d was "events in the last 3 days" (long)' in refused["refused"]
    assert plan(lake) == 2
    change_contract(lake, "version=1", "version=2")
    planned = as_json(lake, capsys)["datasets"][0] if not capsys.readouterr().err else {}
    assert planned["refused"] is None
    assert planned["meaning"] == [change for change in planned["meaning"] if "last 60 days" in change]
    written = [step["partitions"] for step in planned["steps"] if step["step"] in ("features", "publish")]
    tables = ("features/visits/v2", "published/visits/v2")
    assert written == [[f"{table}/ds={day}"] for day in DAYS for table in tables]
    (words,) = {step["why"] for step in planned["steps"] if step["step"] == "validate-features"}
    assert words == "the contract or the code of the dataset has changed"
    cleaned = next(step["partitions"] for step in planned["steps"] if step["step"] == "clean")
    assert cleaned == [f"processed/visits/event_date={day}" for day in ("2025-12-30", "2025-12-31", "2026-01-01")]
    assert refused["steps"] == planned["steps"], "the refused plan already says what the next version would run"


def test_a_day_that_the_gate_has_passed_since_is_named(lake: LongLake, capsys: pytest.CaptureFixture[str]) -> None:
    made = [layout.processed(lake.contract), layout.superseded(lake.contract)]
    lake.commit(layout.features(lake.contract), "features", FOURTH, made, {"left_out": [str(THIRD)], **lake.facts})
    assert shown(lake, capsys)[1:3] == [
        "  2026-01-04",
        "    features                    the gate has a new verdict on 2026-01-03",
    ]


def test_what_the_gate_has_passed_already_waits_for_nothing(lake: LongLake, capsys: pytest.CaptureFixture[str]) -> None:
    """Though the day that it has passed will be cleaned again."""
    made = [layout.processed(lake.contract), layout.superseded(lake.contract)]
    lake.commit(layout.features(lake.contract), "features", LAST, made, {"left_out": [str(DAYS[5])], **lake.facts})
    lake.land(DAYS[5], "visit_id\n7\n")
    steps = as_json(lake, capsys)["datasets"][0]["steps"]
    (features,) = [step for step in steps if (step["ds"], step["step"]) == (str(LAST), "features")]
    assert (features["when"], features["why"]) == ("now", "the gate has a new verdict on 2026-01-06")


def test_a_failed_gate_is_named_with_its_rules(lake: LongLake, capsys: pytest.CaptureFixture[str]) -> None:
    """It is judged again, and all after it waits for it to pass."""
    fail_raw(lake, LAST + timedelta(days=1))
    assert shown(lake, capsys)[:7] == [
        "visits: 1 of 9 days",
        "  2026-01-09",
        "    validate-raw      failed its gate: TooFewRows(), TooMany()",
        "    clean to publish  if validate-raw passes; never ran",
        "  validate-raw of 2026-01-09 has failed, and its rows are the same: unless",
        "  something else that it reads has changed, the backfill stops there. Fix the",
        "  source or the contract first.",
    ]
    planned = as_json(lake, capsys)["datasets"][0]
    assert planned["stops_at"] == ["2026-01-09"]
    assert [step["when"] for step in planned["steps"]] == ["now", *["if_changed"] * 5]


def fail_raw(lake: LongLake, ds: date) -> None:
    lake.land(ds)
    raw = layout.raw(lake.contract)
    source = Landing(lake.contract, lake.landing, ds).fingerprint()
    lake.commit(raw, "ingest", ds, [], {"source": source, **lake.beside(layout.quarantine(lake.contract))})
    where = {"at": {raw.path: lake.at[raw.path]}, "ids": {raw.path: lake.ids[raw.path]}}
    with datasets_in(lake.root / "datasets"):
        run = replace(lake.run(ds), job="validate-raw", run_id="judging", renews=True, **where)
    about = {"ds": ds, "table": "raw", "table_id": lake.ids[raw.path], "version": lake.at[raw.path]}
    counts = {"success": False, "rules": 5, "passed": 3, "failed": ["TooFewRows()", "TooMany()"], "warned": []}
    verdicts.keep(run, Verdict(**about, **counts, run_id="judging"))


def test_a_changed_rule_is_said_to_break_nothing(lake: LongLake, capsys: pytest.CaptureFixture[str]) -> None:
    change_contract(lake, "minimum=0", "minimum=1")
    assert shown(lake, capsys)[:4] == [
        "visits: 8 of 8 days",
        "  not breaking: the features of v1 are defined as before",
        "  2026-01-01..2026-01-08",
        "    ingest to validate-features  the contract or the code of the dataset has",
    ]


def test_a_day_that_landing_has_lost_goes_on_from_raw(lake: LongLake, capsys: pytest.CaptureFixture[str]) -> None:
    (lake.root / f"landing/visits/ds={THIRD}/part.csv").unlink()
    lake.commit(layout.raw(lake.contract), "ingest", THIRD, [], {"run_id": "again"})
    planned = as_json(lake, capsys)["datasets"][0]
    assert planned["from_raw"] == [str(THIRD)]
    assert "ingest" not in [step["step"] for step in planned["steps"]]
    assert as_json(lake, capsys, "--ds", "2026-02-01")["datasets"][0]["missing"] == ["2026-02-01"]


def test_a_closed_day_is_neither_planned_nor_missing(lake: LongLake, capsys: pytest.CaptureFixture[str]) -> None:
    change_contract(lake, "lateness_days=2,", 'lateness_days=2, closed=("sat", "sun"),')
    asked = as_json(lake, capsys, "--ds", "2026-01-09..2026-01-10")["datasets"][0]
    assert asked["missing"] == ["2026-01-09"]
    assert asked["steps"] == []


def test_a_declaration_that_cannot_be_used_hides_no_other(lake: LongLake, capsys: pytest.CaptureFixture[str]) -> None:
    change_contract(lake, "lateness_days=2", "lateness_days=-2")
    lines = shown(lake, capsys, "--dataset", "visits", "churn")
    assert lines[0] == "visits: a backfill refuses this contract and runs nothing"
    assert lines[-1] == "churn: no day has landed yet"
    assert plan(lake) == 2
    capsys.readouterr()
    assert as_json(lake, capsys)["datasets"][0]["feature_version"] is None


def test_an_unknown_dataset_is_refused(lake: LongLake, capsys: pytest.CaptureFixture[str]) -> None:
    assert plan(lake, "--dataset", "visit") == 2
    assert "did you mean visits?" in capsys.readouterr().err


def test_apply_runs_nothing_that_nobody_agreed_to(lake: LongLake, capsys: pytest.CaptureFixture[str]) -> None:
    lake.land(THIRD, "visit_id\n7\n")
    assert plan(lake, "--dataset", "visits", "--apply") == 2
    printed = capsys.readouterr()
    assert "the source has changed" in printed.out
    assert "pass --yes to run without asking" in printed.err
    assert plan(lake, "--apply", "--json") == 2


@pytest.fixture
def airflow(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[str, str, str]]]:
    """An API that starts what it is asked to: the method, path and content of each request."""
    heard: list[tuple[str, str, str]] = []
    answers = {"/auth/token": '{"access_token": "t"}', "/api/v2/dags/visits_range": '{"is_paused": false}'}
    answers["/api/v2/dags/visits_range/dagRuns"] = '{"dag_run_id": "run", "state": "queued"}'

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            content = self.rfile.read(int(self.headers["Content-Length"] or 0)).decode()
            heard.append((self.command, self.path, content))
            known = self.path == "/auth/token" or self.headers["Authorization"] == "Bearer t"
            self.send_response(201 if known and "wrong" not in content else 401)
            self.end_headers()
            self.wfile.write(answers[self.path].encode())

        do_GET = do_POST  # noqa: N815

        def log_message(self, *said: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    address = f"http://127.0.0.1:{server.server_address[1]}/"
    for name, value in {"URL": address, "USER": "admin", "PASSWORD": "secret word"}.items():
        monkeypatch.setenv(f"AIRFLOW_{name}", value)
    monkeypatch.delenv("AIRFLOW_TOKEN", raising=False)
    yield heard
    server.shutdown()
    server.server_close()


THROUGH = ("--dataset", "visits", "--apply", "--yes", "--through", "airflow")


def plan_here(lake: LongLake, monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    monkeypatch.setenv("LAKE", lake.lake)
    with datasets_in(lake.root / "datasets"):
        return main(["plan", *words])


def test_airflow_is_asked_for_the_ranges_of_the_plan(
    lake: LongLake,
    airflow: list[tuple[str, str, str]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for ds in (THIRD, LAST + timedelta(days=2)):
        lake.land(ds, "visit_id\n7\n")
    assert plan_here(lake, monkeypatch, *THROUGH) == 0
    started = [json.loads(content) for method, path, content in airflow if path.endswith("/dagRuns")]
    assert [(run["logical_date"], run["conf"]) for run in started] == [
        (None, {"from": "2026-01-03", "to": "2026-01-03"}),
        (None, {"from": "2026-01-10", "to": "2026-01-10"}),
    ]
    assert "visits 2026-01-10: queued in Airflow, as run of visits_range" in capsys.readouterr().out


def test_an_airflow_that_knows_nobody_is_told_in_words(
    lake: LongLake,
    airflow: list[tuple[str, str, str]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    lake.land(THIRD, "visit_id\n7\n")
    monkeypatch.setenv("AIRFLOW_PASSWORD", "wrong word")
    assert plan_here(lake, monkeypatch, *THROUGH) == 2
    error = capsys.readouterr().err
    assert "it answered 401; expected AIRFLOW_TOKEN, or AIRFLOW_USER and AIRFLOW_PASSWORD" in error
    assert "wrong word" not in error
    monkeypatch.setenv("AIRFLOW_URL", f"http://127.0.0.1:{free_port()}")
    assert plan_here(lake, monkeypatch, *THROUGH) == 1
    assert "ConnectionRefusedError; expected Airflow's API at AIRFLOW_URL" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--through", "airflow"), "--through says what runs the plan; expected --apply with it"),
        ((*THROUGH, "--lake", "here"), "expected neither --lake nor --landing with it"),
        (THROUGH, "AIRFLOW_URL is not an http or https address"),
    ],
)
def test_airflow_is_not_asked_in_vain(
    lake: LongLake,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: tuple[str, ...],
    message: str,
) -> None:
    monkeypatch.delenv("AIRFLOW_URL", raising=False)
    assert plan_here(lake, monkeypatch, *words) == 2
    printed = capsys.readouterr()
    assert (message in printed.err, printed.out) == (True, "")


def test_ranges_hold_no_day_that_the_plan_does_not_name(lake: LongLake) -> None:
    """Days that are up to date may lie between; a day that is missing may not."""
    lake.land(THIRD, "visit_id\n7\n")
    lake.land(LAST, "visit_id\n7\n")
    with datasets_in(lake.root / "datasets"):
        settings = lake.run(FIRST).settings
        assert plan_dataset("visits", settings).ranges() == [(THIRD, LAST)]
        lake.land(LAST + timedelta(days=2), "visit_id\n7\n")
        planned = plan_dataset("visits", settings)
    assert planned.ranges() == [(THIRD, LAST), (LAST + timedelta(days=2), LAST + timedelta(days=2))]
    assert {step.ds for step in planned.steps if step.when == When.NOW} == {THIRD, LAST, LAST + timedelta(days=2)}


def test_a_day_is_asked_of_the_datasets_that_have_days(lake: LongLake, capsys: pytest.CaptureFixture[str]) -> None:
    """Of all datasets; one that is named must have such periods."""
    planned = {line.partition(":")[0] for line in shown(lake, capsys, "--ds", "2026-01-05") if line[:1].isalpha()}
    assert {"visits", "churn", "transactions"} <= planned
    assert "mentions" not in planned
    assert plan(lake, "--dataset", "mentions", "--ds", "2026-01-05") == 2


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--trial", "idea", "--apply"), "--trial runs on a copy, and --apply on the lake; expected one of them"),
        (("--drop",), "--drop removes a trial; expected --trial NAME with it"),
        (("--trial", "idea", "--since-revision", "HEAD"), "expected neither --ds nor --apply nor --trial"),
        (("--trial", "../idea"), "can't be the name of a trial"),
    ],
)
def test_a_trial_that_cannot_be_meant_is_refused(
    lake: LongLake, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], message: str
) -> None:
    assert plan(lake, *words) == 2
    assert message in capsys.readouterr().err
    assert not (lake.root / "lake/.trials").exists()


def test_a_comment_tries_nothing_and_starts_no_spark(lake: LongLake, capsys: pytest.CaptureFixture[str]) -> None:
    assert shown(lake, capsys, "--dataset", "visits", "--trial", "idea") == [
        "visits: no differences between visits@v1 as tried, and visits@v1 version 8 as published",
        f"The trial's rows are in {lake.lake}/.trials/idea.",
    ]
