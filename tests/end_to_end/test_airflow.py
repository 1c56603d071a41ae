"""A real Airflow runs days whose tables equal those of the same jobs run by hand.

Its jobs for `churn` run on a warm Spark, as schedule.yml may declare; those for `transactions` each start a Spark of their own.
"""

from __future__ import annotations

import json
import shlex
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from common.days import parse_days
from tests.support.airflow_here import Airflow, RefusedError, database
from tests.support.play_lake import PlayLake
from tests.support.processes import listening
from tests.support.typed_here import typed
from tests.support.warm_spark import WarmSpark

ROOT = Path(__file__).resolve().parents[2]
DAYS = [f"2026-01-{day:02}" for day in range(5, 10)]
BAD, LATER = "2026-01-07", "2026-01-10"


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> PlayLake:
    found = PlayLake(tmp_path_factory.mktemp("through-airflow"))
    for dataset in ("transactions", "churn"):
        sample(found, dataset)
    return found


@pytest.fixture(scope="module")
def warm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WarmSpark]:
    """Airflow's fixture starts it, because both take their time."""
    server = WarmSpark(tmp_path_factory.mktemp("warm") / "server")
    yield server
    server.run("down")


@pytest.fixture(scope="module")
def airflow(lake: PlayLake, warm: WarmSpark) -> Iterator[Airflow]:
    training = {"churn_baseline": {"dataset": "churn", "days": 1, "remote": warm.address}}
    # Only one of them can be late, whatever the time of day.
    never = {"late_after_minutes": 1_000_000}
    declared = {
        "all": never,
        "training_sets": training,
        "datasets": {"churn": {"late_after_minutes": 0.01, "remote": warm.address}, "mentions": {"paused": True}},
        # No test here looks at what it does.
        "maintenance": {"paused": True, "schedule": "0 2 * * 0"},
    }
    places = {"LAKE": str(lake.root / "lake"), "LANDING": str(lake.landing), "WARM": warm.environment["WARM"]}
    with database() as where, ThreadPoolExecutor(1) as beside:
        found = Airflow(lake.root / "airflow", {**places, **where}, declared)
        starting = beside.submit(warm.run, "up")
        try:
            found.start()
            code, said = starting.result()
            assert code == 0, said
            found.until(
                lambda: {"churn", "training_set_churn_baseline", "maintenance"} <= set(found.dags()), "the DAGs", 120
            )
            yield found
        finally:
            found.kill()  # a stop waits for the api-server; tests/conf/test_airflow_parts.py tests it


def sample(lake: PlayLake, dataset: str) -> None:
    command = [
        ".venv/bin/python",
        "-m",
        f"jobs.datasets.{dataset}.sample",
        "--start",
        DAYS[0],
        "--days",
        "6",
        "--rows",
        "200",
    ]
    subprocess.run([*command, "--out", lake.landing], cwd=ROOT, check=True, timeout=60)


def by_hand(lake: PlayLake, dataset: str, days: str) -> None:
    """In the tests' own Spark."""
    places = ["--lake", str(lake.lake_folder), "--landing", str(lake.landing)]
    words = ["spark-submit", "jobs/backfill.py", "--dataset", dataset, "--ds", days, *places]
    code, _, said = typed(shlex.join(words))
    assert code == 0, said


def content(lake: PlayLake, dataset: str) -> dict[str, list[str]]:
    return {path: rows for path, rows in lake.content().items() if dataset in path}


@pytest.mark.slow
def test_a_bad_day_in_a_backfill_stops_alone_and_is_healed(
    airflow: Airflow, lake: PlayLake, spark: object, tmp_path_factory: pytest.TempPathFactory
) -> None:
    good = {path: path.read_bytes() for path in lake.folder(BAD).iterdir()}
    for path in good:
        path.unlink()
    lake.land(
        BAD, "transaction_id | purchase_amount | user_id\n" + "\n".join(f"bad{n} | -{n}.50 | x" for n in range(1, 30))
    )
    airflow.make("backfill", "DATASET=transactions", f"FROM={DAYS[0]}", f"TO={DAYS[-1]}")
    airflow.until(lambda: len(airflow.days("transactions", "backfill")) == len(DAYS), "the backfill's runs", 60)
    runs = airflow.days("transactions", "backfill")
    assert {day: airflow.over("transactions", runs[day], 900) for day in DAYS} == {
        day: "failed" if day == BAD else "success" for day in DAYS
    }
    states = airflow.tasks("transactions", runs[BAD])
    failed = [task for task, state in states.items() if state == "failed"]
    assert failed == ["processed.validate"]
    assert states["features.build"] == states["published.publish"] == "upstream_failed"
    assert airflow.tries("transactions", runs[BAD], failed[0]) == 1, "bad data is not tried again"
    log = airflow.log("transactions", runs[BAD], failed[0])
    assert "FAILED RefusedShareToBeAtMost(0.05): 29 of 29 rows" in log, log
    assert "user_id:not_long in 29" in log, log
    (alert,) = (each for each in airflow.alerts() if each["ds"] in DAYS)
    assert (alert["kind"], alert["task"], alert["ds"]) == ("failed", "processed.validate", BAD)
    assert "RefusedShareToBeAtMost(0.05): 29 of 29 rows" in alert["facts"]["failed"]
    assert BAD not in {str(row["ds"]) for row in lake.rows("published", path="published/transactions/v1")}

    (lake.folder(BAD) / "part.csv").unlink()
    for path, text in good.items():
        path.write_bytes(text)
    airflow.clear("transactions", runs[BAD])
    airflow.until(lambda: airflow.runs("transactions")[runs[BAD]] not in ("failed",), "the day to run again", 60)
    assert airflow.over("transactions", runs[BAD], 600) == "success"
    again = airflow.tasks("transactions", runs[BAD])
    assert again["upkeep.again"] == "success", "the days after it were out of date"

    hand = PlayLake(tmp_path_factory.mktemp("by-hand"))
    sample(hand, "transactions")
    by_hand(hand, "transactions", f"{DAYS[0]}..{DAYS[-1]}")
    assert content(lake, "transactions") == content(hand, "transactions")


def test_a_manual_run_takes_its_day_and_leads_to_a_training_set(
    airflow: Airflow, lake: PlayLake, spark: object, tmp_path_factory: pytest.TempPathFactory
) -> None:
    for wrong in ("2026-02-30", "yesterday", "2026-01-05; true"):
        with pytest.raises(RefusedError, match="400"):
            airflow.trigger("churn", ds=wrong)
        with pytest.raises(RefusedError, match="400"):
            airflow.trigger("churn_range", **{"from": DAYS[0], "to": wrong})
    with pytest.raises(RefusedError, match="400"):
        airflow.trigger("churn_range")
    hand = PlayLake(tmp_path_factory.mktemp("by-hand"))
    sample(hand, "churn")
    run = airflow.trigger("churn", ds=DAYS[0])
    by_hand(hand, "churn", DAYS[0])
    assert airflow.over("churn", run) == "success"
    late = [each["message"] for each in airflow.alerts() if each["kind"] == "late"]
    assert len(late) == 1, "only what was scheduled can be late"
    assert late[0].startswith("scheduled__")
    assert "of churn has not succeeded 0.01 minutes after it could start" in late[0]
    left = {task: airflow.said("churn", run, task) for task in airflow.tasks("churn", run)}
    built = left["features.build"]
    assert (built["ds"], built["outcome"], built["counts"]["features"] > 0) == (DAYS[0], "done", True)
    assert {task for task, said in left.items() if said is None} == {"raw.wait", "upkeep.again"}
    for task, said in left.items():
        text = json.dumps(said)
        assert str(lake.root) not in text and str(ROOT) not in text, task
        assert len(text) < 5_000, task
    airflow.until(lambda: bool(airflow.runs("training_set_churn_baseline")), "the training set's run", 60)
    training = next(iter(airflow.runs("training_set_churn_baseline")))
    assert airflow.over("training_set_churn_baseline", training) == "success"
    manifest = json.loads(next((lake.root / "lake/training_sets/churn_baseline").glob("v*/manifest.json")).read_text())
    assert manifest["inputs"]["days"] == [DAYS[0], DAYS[0]]
    tables = {path: rows for path, rows in content(lake, "churn").items() if not path.startswith("training_sets")}
    assert tables == content(hand, "churn")


@pytest.mark.slow
def test_backfilling_finished_days_again_changes_nothing(airflow: Airflow, lake: PlayLake) -> None:
    one_day = ("backfill", "DATASET=transactions", f"FROM={DAYS[0]}", f"TO={DAYS[0]}")

    def over() -> str:
        airflow.until(lambda: DAYS[0] in airflow.days("transactions", "backfill"), "the backfill's run", 60)
        state = airflow.over("transactions", airflow.days("transactions", "backfill")[DAYS[0]], 600)
        # Airflow looks for it every half a minute, and runs one backfill of a DAG at a time.
        airflow.until(lambda: not airflow.backfills("transactions"), "the backfill to be closed", 90)
        return state

    airflow.make(*one_day)
    assert over() == "success"
    run, before = airflow.days("transactions", "backfill")[DAYS[0]], lake.state()
    tries = airflow.tries("transactions", run, "raw.ingest")
    airflow.make(*one_day)
    airflow.until(lambda: airflow.tries("transactions", run, "raw.ingest") > tries, "the day to run again", 120)
    assert over() == "success"
    assert airflow.said("transactions", run, "raw.ingest")["outcome"] == "nothing"
    assert lake.state() == before


@pytest.mark.slow
@pytest.mark.parametrize(("dataset", "told"), [("churn", DAYS[1]), ("transactions", f"{DAYS[0]}..{DAYS[1]}")])
def test_an_asset_event_runs_its_days(airflow: Airflow, lake: PlayLake, dataset: str, told: str) -> None:
    name = f"landing/{dataset}"
    asset = next(each for each in airflow.api("GET", "/assets")["assets"] if each["name"] == name)
    airflow.api("POST", "/assets/events", {"asset_id": asset["id"], "extra": {"ds": told}})
    airflow.until(lambda: len(airflow.runs(f"{dataset}_landed")) == 1, "the event to be seen", 60)
    assert airflow.over(f"{dataset}_landed", next(iter(airflow.runs(f"{dataset}_landed")))) == "success"
    asked = {_day(airflow, dataset, run): run for run in airflow.runs(dataset)}
    for day in map(str, parse_days(told)):
        assert airflow.over(dataset, asked[day]) == "success"
        assert day in {str(row["ds"]) for row in lake.rows("published", path=f"published/{dataset}/v1")}


def plan(airflow: Airflow, dataset: str, *words: str) -> subprocess.CompletedProcess[str]:
    password = json.loads((airflow.folder / "home/passwords.json").read_text())["admin"]
    asking = {"AIRFLOW_URL": f"http://127.0.0.1:{airflow.port}", "AIRFLOW_USER": "admin", "AIRFLOW_PASSWORD": password}
    command = [".venv/bin/features", "plan", "--dataset", dataset, "--ds", LATER, *words]
    return subprocess.run(
        command,
        cwd=ROOT,
        env={**airflow.environment, **asking},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def pause(airflow: Airflow, dag: str, paused: bool) -> None:
    airflow.api("PATCH", f"/dags/{dag}", {"is_paused": paused})


@pytest.mark.parametrize("dataset", ["churn", pytest.param("transactions", marks=pytest.mark.slow)])
def test_a_plan_applied_through_airflow_leaves_nothing_to_run(airflow: Airflow, lake: PlayLake, dataset: str) -> None:
    dag, apply = f"{dataset}_range", ("--apply", "--yes", "--through", "airflow")
    pause(airflow, "training_set_churn_baseline", True)  # no test here looks at a second one
    pause(airflow, dag, True)
    refused = plan(airflow, dataset, *apply)
    assert (refused.returncode, airflow.runs(dag)) == (2, {})
    assert f"paused in Airflow: {dag}; nothing was started" in refused.stderr
    pause(airflow, dag, False)
    done = plan(airflow, dataset, *apply)
    assert done.returncode == 0, done.stderr
    ((run, _),) = airflow.runs(dag).items()
    assert f"{dataset} {LATER}: queued in Airflow, as {run} of {dag}" in done.stdout.splitlines()
    assert airflow.over(dag, run) == "success"
    assert plan(airflow, dataset).stdout.splitlines() == [f"{dataset}: up to date (1 day)"]
    assert plan(airflow, dataset, *apply).stdout.splitlines() == [f"{dataset}: up to date (1 day)"]
    assert len(airflow.runs(dag)) == 1


def _day(airflow: Airflow, dataset: str, run: str) -> str | None:
    conf: dict[str, Any] = airflow.api("GET", f"/dags/{dataset}/dagRuns/{run}")["conf"] or {}
    return conf.get("ds")


def test_no_secret_or_path_is_left_in_readable_files(airflow: Airflow) -> None:
    passwords = airflow.folder / "home/passwords.json"
    assert oct(passwords.stat().st_mode & 0o777) == "0o600"
    password = json.loads(passwords.read_text())["admin"]
    for log in (airflow.folder / "home").rglob("*.log"):
        assert password not in log.read_text(errors="replace"), log


def test_airflow_listens_on_localhost_only(airflow: Airflow) -> None:
    assert all(airflow.part(name) for name in ("api-server", "scheduler", "dag-processor", "triggerer"))
    addresses = {address for pid in airflow.processes() for address in listening(pid)}
    assert addresses == {"0100007F"}
