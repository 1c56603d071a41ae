"""Real Prometheus, Alertmanager and node-exporter: what a run writes becomes an alert."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

import pytest
import yaml

from common.runtime.settings import CONF, Telemetry
from tests.support.ports import free_port
from tests.support.receivers import Web, web
from tests.support.told import Told, done

SERVERS = ("prometheus", "prometheus-alertmanager", "prometheus-node-exporter", "prometheus-pushgateway")
ABSENT = [name for name in SERVERS if not shutil.which(name)]
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        bool(ABSENT), reason=f"not installed (Debian's packages of the same names): {', '.join(ABSENT)}"
    ),
]
FOLDER = CONF / "monitoring"


def eventually(holds: Callable[[], Any], what: str, seconds: float = 30) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := holds()):
        assert time.monotonic() < deadline, f"waited {seconds:g} s for {what}"
        time.sleep(0.1)
    return found


def ask(url: str) -> Any:
    """The answer as JSON, as text, or nothing while the server starts."""
    try:
        with urlopen(url, timeout=5) as answer:
            text = answer.read().decode()
    except (URLError, OSError):
        return None
    return json.loads(text) if text.startswith(("{", "[")) else text


@contextmanager
def server(log: Path, *command: object, ready: str) -> Iterator[None]:
    with log.open("wb") as file, subprocess.Popen([*map(str, command)], stdout=file, stderr=file) as process:
        try:
            eventually(lambda: process.poll() is not None or ask(ready), f"{command[0]} to answer")
            assert process.poll() is None, log.read_text()
            yield
        finally:
            process.terminate()
            process.wait(20)


class Wall:
    """The servers with the project's own configuration, but for addresses and waits."""

    def __init__(self, folder: Path, metrics: Path, receiver: Web) -> None:
        self.folder, self.metrics, self.receiver = folder, metrics, receiver
        self.ports = {name: free_port() for name in ("prometheus", "alertmanager", "node-exporter", "pushgateway")}

    def url(self, name: str) -> str:
        return f"http://127.0.0.1:{self.ports[name]}"

    @contextmanager
    def running(self) -> Iterator[None]:
        self._write_configuration()
        flag, log = "--web.listen-address=127.0.0.1", self.folder
        with ExitStack() as stack:
            for name, command in {
                "node-exporter": [
                    "prometheus-node-exporter",
                    "--collector.disable-defaults",
                    "--collector.textfile",
                    f"--collector.textfile.directory={self.metrics}",
                ],
                "pushgateway": ["prometheus-pushgateway"],
                "alertmanager": [
                    "prometheus-alertmanager",
                    f"--config.file={self.folder / 'alertmanager.yml'}",
                    f"--storage.path={self.folder / 'alertmanager'}",
                    "--cluster.listen-address=",
                ],
                "prometheus": [
                    "prometheus",
                    f"--config.file={self.folder / 'prometheus.yml'}",
                    f"--storage.tsdb.path={self.folder / 'prometheus'}",
                ],
            }.items():
                health = "/-/ready" if name != "node-exporter" else "/metrics"
                own = [*command, f"{flag}:{self.ports[name]}"]
                stack.enter_context(server(log / f"{name}.log", *own, ready=f"{self.url(name)}{health}"))
            yield

    def _write_configuration(self) -> None:
        text = (FOLDER / "prometheus.yml").read_text().replace("  # - ", "  - ").replace("  #   ", "    ")
        for name, port in self.ports.items():
            text = text.replace(f"{name}:9093", f"127.0.0.1:{port}").replace(f"{name}:9100", f"127.0.0.1:{port}")
            text = text.replace(f"{name}:9091", f"127.0.0.1:{port}")
        prometheus = yaml.safe_load(text)
        prometheus["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
        alertmanager = yaml.safe_load((FOLDER / "alertmanager.yml").read_text())
        alertmanager["route"]["group_wait"] = "0s"
        alertmanager["receivers"][0]["webhook_configs"] = [{"url": self.receiver.url}]
        (self.folder / "prometheus.yml").write_text(yaml.safe_dump(prometheus))
        (self.folder / "alertmanager.yml").write_text(yaml.safe_dump(alertmanager))
        shutil.copy(FOLDER / "rules.yml", self.folder)

    def values(self, query: str) -> dict[str, float]:
        """The query's values by step."""
        found = ask(f"{self.url('prometheus')}/api/v1/query?query={query}")
        series = found["data"]["result"] if found else []
        return {each["metric"].get("step", ""): float(each["value"][1]) for each in series}

    def firing(self) -> dict[str, dict[str, Any]]:
        """The alerts that reached the receiver, by name."""
        messages = [content for _, _, content in self.receiver.heard]
        return {
            alert["labels"]["alertname"]: alert
            for message in messages
            for alert in message["alerts"]
            if alert["status"] == "firing"
        }


@pytest.fixture
def receiver() -> Iterator[Web]:
    with web() as found:
        yield found


def test_a_halved_volume_fires_the_alert_that_the_rule_says(tmp_path: Path, receiver: Web) -> None:
    told = Told(tmp_path)
    told.run("ingest", "2026-01-05", done(landed=1000))
    wall = Wall(tmp_path, tmp_path / "lake" / "metrics", receiver)
    with wall.running():
        eventually(
            lambda: wall.values("count_over_time(pipeline_rows{kind=%22in%22}[1h])").get("ingest", 0) >= 5, "history"
        )
        assert "VolumeDropped" not in wall.firing()
        told.run("ingest", "2026-01-06", done(landed=500))
        alert = eventually(lambda: wall.firing().get("VolumeDropped"), "the alert to reach its receiver")
    assert alert["annotations"]["summary"] == ("transactions: the newest day has 500 rows, less than 60 % of the usual")
    assert (alert["labels"]["severity"], alert["labels"]["dataset"]) == ("critical", "transactions")


def test_pushed_metrics_are_those_of_the_files(tmp_path: Path, receiver: Web) -> None:
    wall = Wall(tmp_path, tmp_path / "nothing", receiver)
    told = Told(tmp_path, telemetry=Telemetry(pushgateway=wall.url("pushgateway")))
    (tmp_path / "nothing").mkdir()
    with wall.running():
        told.run("ingest", "2026-01-05", done(landed=1000))
        eventually(lambda: wall.values("pipeline_rows{kind=%22in%22}"), "the pushed rows")
        assert wall.values("pipeline_rows{kind=%22in%22}") == {"ingest": 1000}
