"""A remote lake that does not answer, or never could: an error of its own in bounded time, for every program."""

from __future__ import annotations

import socket
import sys
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from common.errors import StorageUnreachableError, UsageError
from common.lake.storage import reach
from common.lake.storage.files import list_files
from tests.runtime.test_bad_settings import COMMANDS
from tests.support.silent import silent_server

LOOKING = [name for name in COMMANDS if name not in ("docs", "contracts")]


class _Empty(BaseHTTPRequestHandler):
    """A bucket that holds nothing."""

    def do_GET(self) -> None:
        listing = b"<ListBucketResult><IsTruncated>false</IsTruncated><KeyCount>0</KeyCount></ListBucketResult>"
        self.send_response(200)
        self.send_header("Content-Length", str(len(listing)))
        self.end_headers()
        self.wfile.write(listing)

    def do_HEAD(self) -> None:
        self.send_error(404)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def silent(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A server that takes connections and never answers, as a wrong port or a firewall may do."""
    with silent_server() as port:
        point_at(monkeypatch, port)
        monkeypatch.setattr(reach, "WAIT_SECONDS", 1.0)
        yield


def point_at(monkeypatch: pytest.MonkeyPatch, port: int) -> None:
    names = ("AWS_ENDPOINT_URL", "AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
    for name, value in zip(names, (f"http://127.0.0.1:{port}", "eu-west-1", "key", "secret"), strict=True):
        monkeypatch.setenv(name, value)


@pytest.mark.parametrize("name", LOOKING)
def test_a_lake_that_is_silent_ends_every_program_soon(
    silent: None, name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    main, words = COMMANDS[name]
    monkeypatch.setenv("LAKE", "s3://silent/lake")
    monkeypatch.setattr(sys, "argv", ["command", *words])
    started = time.monotonic()
    with pytest.raises(SystemExit) as stopped:
        main()
    assert (stopped.value.code, time.monotonic() - started < 5) == (1, True)
    (line,) = capsys.readouterr().err.splitlines()
    assert "s3://silent can't be reached: no answer within 1 s" in line
    assert "Check the address, the network and the credentials" in line


@pytest.mark.slow
def test_a_closed_port_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    point_at(monkeypatch, port)
    with pytest.raises(StorageUnreachableError, match=f"connect to 127.0.0.1:{port}"):
        list_files("s3a://closed/lake/runs")


def test_an_address_without_an_account_is_malformed() -> None:
    started = time.monotonic()
    with pytest.raises(UsageError, match="is malformed: .*account name"):
        list_files("abfss://container/lake")
    assert time.monotonic() - started < 2


def test_an_address_that_answers_is_asked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Empty) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        point_at(monkeypatch, server.server_address[1])
        reach.require_reachable("s3://answers/lake")
        server.shutdown()
    reach.require_reachable("s3://answers/lake/raw")


def test_an_address_that_did_not_answer_is_asked_again_later(silent: None, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(StorageUnreachableError):
        reach.require_reachable("s3://restarted/lake")
    monkeypatch.setattr(reach, "ASK_AGAIN_SECONDS", 0.0)
    monkeypatch.setattr(reach, "WAIT_SECONDS", 60.0)  # a slow machine needs a second to import Arrow
    with ThreadingHTTPServer(("127.0.0.1", 0), _Empty) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        point_at(monkeypatch, server.server_address[1])
        reach.require_reachable("s3://restarted/lake")
        server.shutdown()
