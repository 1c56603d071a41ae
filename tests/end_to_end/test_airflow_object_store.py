"""A real Airflow runs a day whose landing files and lake lie on a real object store."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from common.errors import UsageError
from common.runtime.object_store import require_jars
from tests.end_to_end.test_object_store import DAYS, Place, land
from tests.support.airflow_here import Airflow, database
from tests.support.s3_server import KEYS, s3_server

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
DAY = DAYS[0]


def test_a_day_through_airflow_equals_a_laptops(tmp_path: Path) -> None:
    try:
        require_jars()
    except UsageError as error:
        pytest.skip(str(error))
    with s3_server(tmp_path / "store", "lake", "landing") as server, database() as stored:
        place = Place(server.folder, "s3a://lake/here", "s3a://landing", server.environment)
        land(place)
        places = {"LAKE": place.lake, "LANDING": place.landing, **place.environment}
        airflow = Airflow(tmp_path / "airflow", {**stored, **places}, {"all": {"late_after_minutes": 1_000_000}})
        try:
            airflow.start()
            airflow.until(lambda: "churn" in airflow.dags(), "the DAG", 120)
            run = airflow.trigger("churn", ds=DAY)
            assert airflow.over("churn", run, 400) == "success", airflow.tasks("churn", run)
            built = airflow.said("churn", run, "features.build")
            told = json.dumps([airflow.said("churn", run, task) for task in airflow.tasks("churn", run)])
            logs = "".join(file.read_text(errors="replace") for file in (tmp_path / "airflow").rglob("*.log"))
        finally:
            airflow.stop()
        there = place.content("here")
    assert (built["ds"], built["outcome"]) == (DAY, "done")
    assert KEYS["AWS_SECRET_ACCESS_KEY"] not in told + logs
    laptop = tmp_path / "laptop"
    shutil.copytree(place.files / "landing", laptop / "landing")
    hand = Place(laptop, str(laptop / "lake" / "here"), str(laptop / "landing"), {})
    hand.job("backfill", ds=DAY)
    by_hand = hand.content("here")
    assert len(by_hand["published/churn/v1"]) > 100
    assert {path for path in by_hand if there[path] != by_hand[path]} == set()
