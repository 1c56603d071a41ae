"""A small service on this machine that scores texts by two words, and misbehaves as a test says."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any

from tests.support.http_server import serving

Texts = list[str]


def score_of(text: str) -> str:
    return f"{(text.count('good') - text.count('bad')) / 4:.4f}"


@dataclass
class Scorer:
    """Answers each request by the next of `behaviours`, whose last one stays; without any, as it should."""

    address: str
    behaviours: list[Callable[[Texts], tuple[int, Any]]] = field(default_factory=list)
    asked: list[Texts] = field(default_factory=list)
    model: int = 1
    token: str = ""  # that a request must bring

    def answer(self, texts: Texts) -> tuple[int, Any]:
        self.asked.append(texts)
        if not self.behaviours:
            return self.good(texts)
        return (self.behaviours.pop(0) if len(self.behaviours) > 1 else self.behaviours[0])(texts)

    def good(self, texts: Texts) -> tuple[int, Any]:
        return 200, {"records": [{"score": score_of(text), "score_model": self.model} for text in texts]}

    def broken(self, texts: Texts) -> tuple[int, Any]:
        return 500, {}

    def slow(self, texts: Texts) -> tuple[int, Any]:
        time.sleep(0.5)
        return self.good(texts)

    def one_short(self, texts: Texts) -> tuple[int, Any]:
        return self.good(texts[1:])

    def poisoned(self, texts: Texts) -> tuple[int, Any]:
        """One text, and the requests that hold it, are too much for it."""
        return (422, {}) if any("poison" in text for text in texts) else self.good(texts)

    def saying(self, **values: Any) -> Callable[[Texts], tuple[int, Any]]:
        return lambda texts: (200, {"records": [{"score": "0.5", "score_model": 1, **values} for _ in texts]})


@contextmanager
def scorer(port: int = 0) -> Iterator[Scorer]:
    service = Scorer("")

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            sent = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            let_in = self.headers.get("Authorization", "") == (f"Bearer {service.token}" if service.token else "")
            texts = [record["text"] for record in sent["records"]]
            status, answer = service.answer(texts) if let_in else (401, {})
            body = (answer if isinstance(answer, str) else json.dumps(answer)).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    with serving(Handler, port) as bound:
        service.address = f"http://127.0.0.1:{bound}/score"
        yield service
