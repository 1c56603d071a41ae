"""What receivers get, and that one which is dead, slow or refusing neither fails a run nor makes it wait."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from common.errors import UsageError
from common.orchestration.cli import run_job
from common.orchestration.job import Job
from common.runtime.settings import Telemetry, load_settings
from common.telemetry import metric_files, receivers
from common.telemetry.receivers import FLUSH_SECONDS, Message
from tests.support.ports import free_port
from tests.support.receivers import dripping, listening, silent, web
from tests.support.told import Told, done

DAY, NEXT = "2026-01-05", "2026-01-06"
SCHEDULING = 0.15  # what two busy cores may add to a wait


@contextmanager
def recording() -> Iterator[tuple[str, list[tuple[str, str, str, str]]]]:
    """A receiver's address, and the method, path, authorization and content of each request to it."""
    heard: list[tuple[str, str, str, str]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            content = self.rfile.read(int(self.headers["Content-Length"])).decode()
            heard.append((self.command, self.path, self.headers.get("Authorization", ""), content))
            self.send_response(200)
            self.end_headers()

        do_PUT = do_POST  # noqa: N815

        def log_message(self, *said: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", heard
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture(autouse=True)
def plain_surroundings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "OPENLINEAGE_API_KEY", "TELEMETRY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(logging.getLogger("pipeline"), "propagate", True)


def flushed() -> tuple[dict[str, int], float]:
    """What was lost, and how long it took to know."""
    began = time.monotonic()
    return receivers.flush(), time.monotonic() - began


def test_a_pushgateway_gets_the_step_in_prometheus_format(tmp_path: Path) -> None:
    with recording() as (url, heard):
        told = Told(tmp_path, telemetry=Telemetry(pushgateway=url))
        told.run("ingest", DAY, done(landed=7))
        assert flushed()[0] == {}
    step, stale = sorted(heard, key=lambda request: -len(request[1]))
    assert step[:2] == ("PUT", "/metrics/job/feature_pipeline/dataset/transactions/step/ingest")
    assert stale[:2] == ("PUT", "/metrics/job/feature_pipeline/dataset/transactions")
    rows = [each for each in metric_files.parse(step[3]) if each.name == "pipeline_rows"]
    assert [(each.label("kind"), each.value) for each in rows] == [("in", 7)]


def test_an_otlp_receiver_gets_gauges_with_attributes(tmp_path: Path) -> None:
    with recording() as (url, heard):
        told = Told(tmp_path, telemetry=Telemetry(otlp=url))
        told.run("compact", DAY, done(rows=7))
        assert flushed()[0] == {}
    method, path, _, content = heard[-1]
    (resource,) = json.loads(content)["resourceMetrics"]
    metrics = {metric["name"]: metric["gauge"]["dataPoints"] for metric in resource["scopeMetrics"][0]["metrics"]}
    (point,) = metrics["pipeline_rows"]
    attributes = {each["key"]: each["value"]["stringValue"] for each in point["attributes"]}
    assert (method, path, point["asDouble"]) == ("POST", "/v1/metrics", 7)
    assert attributes == {"dataset": "transactions", "step": "compact", "kind": "out"}


def test_a_lineage_receiver_gets_each_event_with_the_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENLINEAGE_API_KEY", "s3cret")
    with recording() as (url, heard):
        told = Told(tmp_path, telemetry=Telemetry(openlineage=url))
        told.run("ingest", DAY, done(landed=7))
        assert flushed()[0] == {}
    assert {request[:3] for request in heard} == {("POST", "/api/v1/lineage", "Bearer s3cret")}
    assert [json.loads(request[3])["eventType"] for request in heard] == ["START", "COMPLETE"]
    assert "s3cret" not in "".join(path.read_text() for path in tmp_path.rglob("*.jsonl"))


@pytest.mark.parametrize("behaviour", [silent, dripping])
def test_a_slow_receiver_costs_no_more_than_its_limit(tmp_path: Path, behaviour: Any) -> None:
    with listening(behaviour) as port:
        url = f"http://127.0.0.1:{port}"
        told = Told(tmp_path, telemetry=Telemetry(pushgateway=url, otlp=url, openlineage=url))
        began = time.monotonic()
        for ds in (DAY, NEXT):
            assert told.run("ingest", ds, done(landed=7))
        assert time.monotonic() - began < 0.5
        lost, waited = flushed()
    assert waited < FLUSH_SECONDS + SCHEDULING
    assert lost.keys() == {"pushgateway", "otlp", "openlineage"}
    assert lost["openlineage"] == 4


def test_a_dead_receiver_is_counted_and_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    told = Told(tmp_path, telemetry=Telemetry(openlineage=f"http://127.0.0.1:{free_port()}"))
    assert told.run("ingest", DAY, done(landed=7))
    lost, waited = flushed()
    assert lost == {"openlineage": 2}
    assert waited < FLUSH_SECONDS + SCHEDULING
    assert "2 messages did not reach the openlineage receiver: ConnectionRefusedError" in caplog.text


def test_a_refusing_receiver_is_counted_with_its_answer(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with web(status=503) as found:
        told = Told(tmp_path, telemetry=Telemetry(openlineage=f"http://127.0.0.1:{found.port}"))
        told.run("ingest", DAY, done(landed=7))
        assert flushed()[0] == {"openlineage": 2}
    assert "it answered 503" in caplog.text


def test_the_json_line_counts_what_was_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TELEMETRY", json.dumps({"otlp": f"http://127.0.0.1:{free_port()}"}))
    argv = ["--dataset", "churn", "--ds", DAY, "--lake", str(tmp_path / "lake"), "--landing", str(tmp_path / "landing")]
    with pytest.raises(SystemExit) as left:
        run_job(Job("compact", done(landed=7)), argv=argv)
    line = json.loads(capsys.readouterr().out)
    assert (left.value.code, line["outcome"], line["undelivered"]) == (0, "done", {"otlp": 1})


def test_only_the_newest_of_waiting_metrics_is_sent() -> None:
    with recording() as (url, heard):
        for number in range(50):
            receivers.send("pushgateway", Message(f"{url}/{number}", b"", "text/plain", replaces="a step"))
        receivers.flush()
    assert len(heard) < 50
    assert heard[-1][1] == "/49"


@pytest.mark.parametrize("url", ["ftp://here", "http://", "http://me:s3cret@here", "here:9091"])
def test_an_address_that_cannot_be_used_is_refused(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("TELEMETRY", json.dumps({"pushgateway": url}))
    with pytest.raises(UsageError, match="telemetry.pushgateway") as refused:
        load_settings("local")
    assert "s3cret" not in str(refused.value)
