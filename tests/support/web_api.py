"""A small API on this machine that answers as a test says, and misbehaves where the test wants it to."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from tests.support.http_server import serving


@dataclass(frozen=True)
class Answer:
    body: Any = None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    cut: bool = False  # the connection ends before the body does
    seconds: float = 0  # of silence before the answer
    then: Callable[[], object] = lambda: None  # what happens just before it


@dataclass
class WebApi:
    """Answers each page from its own list, whose last answer stays."""

    base: str
    answers: dict[str, list[Answer]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    connections: set[int] = field(default_factory=set)  # the ports from which it was asked

    def says(self, page: str, *answers: Answer) -> None:
        self.answers[page] = [*answers]

    def answer(self, path: str, headers: dict[str, str]) -> Answer:
        query = dict(parse_qsl(urlsplit(path).query))
        page = query.get("page", query.get("cursor", query.get("offset", "")))
        self.asked.append(page)
        self.headers.append(headers)
        self.times.append(time.monotonic())
        left = self.answers.get(page, [Answer([])])
        return left.pop(0) if len(left) > 1 else left[0]


@contextmanager
def web_api() -> Iterator[WebApi]:
    api = WebApi("")

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            api.connections.add(self.client_address[1])
            answer = api.answer(self.path, dict(self.headers))
            time.sleep(answer.seconds)
            answer.then()
            body = (answer.body if isinstance(answer.body, str) else json.dumps(answer.body)).encode()
            self.send_response(answer.status)
            sent = {"Content-Type": "application/json", "Content-Length": str(len(body)), **answer.headers}
            for name, value in sent.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body[: len(body) // 2] if answer.cut else body)
            self.close_connection = self.close_connection or answer.cut

    with serving(Handler) as port:
        api.base = f"http://127.0.0.1:{port}"
        yield api
