"""A real Prometheus that receives OTLP: what runs and Airflow send there can be asked for by the names that we document."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
import yaml

from common.runtime.settings import Telemetry
from common.telemetry import metric_files
from tests.end_to_end.test_airflow_metrics import ENDPOINT
from tests.end_to_end.test_monitoring import ask, eventually, server
from tests.support.airflow_here import ROOT, Airflow, database
from tests.support.ports import free_port
from tests.support.prometheus_otlp import command
from tests.support.told import Told, done

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    port, folder = free_port(), tmp_path_factory.mktemp("prometheus")
    url = f"http://127.0.0.1:{port}"
    with server(folder / "log", *command(folder / "data", port), ready=f"{url}/-/ready"):
        eventually(lambda: "eady" in str(ask(f"{url}/-/ready")), "Prometheus to be ready")
        yield url


def series(prometheus: str, query: str, in_seconds: float = 0) -> list[tuple[dict[str, str], float]]:
    found = ask(f"{prometheus}/api/v1/query?query={quote(query)}&time={time.time() + in_seconds}")
    assert found["status"] == "success", found
    return [(each["metric"], float(each["value"][1])) for each in found["data"]["result"]]


def test_every_sample_of_a_run_arrives_as_the_files_have_it(tmp_path: Path, prometheus: str) -> None:
    told = Told(tmp_path, telemetry=Telemetry(otlp=f"{prometheus}/api/v1/otlp"))
    told.run("ingest", "2026-01-05", done(landed=1000, accepted=990, quarantined=10))
    told.says_stale("2026-01-05", "2026-01-06")
    written = [
        (sample.name, {"__name__": sample.name, **dict(sample.labels)}, sample.value)
        for file in (tmp_path / "lake" / "metrics").glob("*.prom")
        for sample in metric_files.parse(file.read_text())
    ]
    assert len(written) > 8
    for name, labels, value in written:
        arrived = [
            ({key: text for key, text in found.items() if key != "job"}, number)
            for found, number in eventually(lambda name=name: series(prometheus, name), name)
        ]
        assert (labels, value) in arrived
    # Why the page of the metrics names a collector, which shows the last value again and again.
    assert series(prometheus, "pipeline_rows")
    assert not series(prometheus, "pipeline_rows", in_seconds=400)


def test_the_dashboard_finds_what_airflow_sends(tmp_path: Path, prometheus: str) -> None:
    """Under the settings of compose, but for addresses and waits."""
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    told = compose["services"]["airflow-scheduler"]["environment"]
    settings = {name: value for name, value in told.items() if name.startswith(("AIRFLOW__METRICS", "OTEL_"))}
    settings |= {
        "AIRFLOW__METRICS__OTEL_ON": "True",
        "OTEL_METRIC_EXPORT_INTERVAL": "2000",
        ENDPOINT: settings[ENDPOINT].replace("http://prometheus:9090", prometheus),
    }
    places = {"LAKE": str(tmp_path / "lake"), "LANDING": str(tmp_path / "landing")}
    board = json.loads((ROOT / "conf/monitoring/dashboard.json").read_text())
    asked = sorted({query for query in queries(board) if "airflow_" in query})
    assert len(asked) > 4
    with database() as stored:
        airflow = Airflow(tmp_path / "airflow", {**stored, **settings, **places})
        try:
            airflow.start()
            for query in asked:
                eventually(lambda query=query: series(prometheus, query), query, 120)
            names = {labels["__name__"] for labels, _ in series(prometheus, '{__name__=~"airflow_.+"}')}
            instances = {labels.get("instance", "") for labels, _ in series(prometheus, "airflow_executor_open_slots")}
        finally:
            airflow.stop()
    assert {name for name in names if "churn" in name or "localexecutor" in name.lower()} == set()
    assert len(instances) == 1


def queries(content: object) -> list[str]:
    """Every PromQL expression of a dashboard, however deep."""
    if isinstance(content, list):
        return [query for each in content for query in queries(each)]
    if not isinstance(content, dict):
        return []
    own = [content["expr"]] if isinstance(content.get("expr"), str) else []
    return own + [query for each in content.values() for query in queries(each)]
