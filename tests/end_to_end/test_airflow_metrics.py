"""A real Airflow under the settings of compose sends every metric that the dashboard asks it for."""

from __future__ import annotations

import gzip
import json
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
import yaml

from tests.support.airflow_here import ROOT, Airflow, database
from tests.support.http_server import serving

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]
PYTHON = ROOT / ".venv-airflow/bin/python"
ENDPOINT = "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT"


@contextmanager
def receiver(folder: Path) -> Iterator[tuple[int, set[str]]]:
    """Keeps each request's content in a file of the folder; the paths that were asked for come with its port."""
    paths: set[str] = set()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            content = self.rfile.read(int(self.headers["Content-Length"]))
            packed = self.headers.get("Content-Encoding") == "gzip"
            (folder / str(len([*folder.iterdir()]))).write_bytes(gzip.decompress(content) if packed else content)
            paths.add(self.path)
            self.send_response(200)
            self.end_headers()

    folder.mkdir()
    with serving(Handler) as port:
        yield port, paths


def test_airflow_sends_what_the_dashboard_asks_for(tmp_path: Path) -> None:
    board = (ROOT / "conf/monitoring/dashboard.json").read_text()
    shown = set(re.findall(r"\bairflow_\w+", board))
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    told = compose["services"]["airflow-scheduler"]["environment"]
    settings = {name: value for name, value in told.items() if name.startswith(("AIRFLOW__METRICS", "OTEL_"))}
    with receiver(tmp_path / "heard") as (port, paths), database() as stored:
        settings |= {
            "AIRFLOW__METRICS__OTEL_ON": "True",
            "OTEL_METRIC_EXPORT_INTERVAL": "2000",
            ENDPOINT: settings[ENDPOINT].replace("prometheus:9090", f"127.0.0.1:{port}"),
        }
        places = {"LAKE": str(tmp_path / "lake"), "LANDING": str(tmp_path / "landing")}
        airflow = Airflow(tmp_path / "airflow", {**stored, **settings, **places})
        try:
            airflow.start()
            airflow.until(lambda: shown <= names(tmp_path / "heard"), f"all of {shown}", 120)
        finally:
            airflow.stop()
    assert paths == {"/api/v1/otlp/v1/metrics"}
    others = {name for name in names(tmp_path / "heard") if "churn" in name or "localexecutor" in name}
    assert others == set(), "a metric for each pool or executor besides the one with a label"


def names(folder: Path) -> set[str]:
    words = [PYTHON, "-m", "tests.support.otlp_names", folder]
    return set(json.loads(subprocess.run(words, cwd=ROOT, capture_output=True, check=True).stdout))
