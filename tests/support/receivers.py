"""Alert receivers on this machine: they record what they get and answer as configured."""

from __future__ import annotations

import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any

from tests.support.http_server import serving


@dataclass
class Web:
    """Answers each request with a status; a redirect points to itself."""

    status: int = 200
    port: int = 0
    heard: list[tuple[str, str, Any]] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hooks/s3cret"


@contextmanager
def web(status: int = 200) -> Iterator[Web]:
    found = Web(status)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            text = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            found.heard.append((self.command, self.headers.get("Content-Type", ""), json.loads(text or "null")))
            self.send_response(found.status)
            self.send_header("Location", found.url)
            self.end_headers()

        do_GET = do_POST  # noqa: N815

    with serving(Handler) as found.port:
        yield found


@contextmanager
def listening(answer: Callable[[socket.socket], None]) -> Iterator[int]:
    """Opens a port and handles each connection with `answer`."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    caller, _ = server.accept()
                except OSError:
                    return
                threading.Thread(target=_quietly, args=(answer, caller), daemon=True).start()

        threading.Thread(target=serve, daemon=True).start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)


def _quietly(answer: Callable[[socket.socket], None], caller: socket.socket) -> None:
    with caller, suppress(OSError):
        answer(caller)


def silent(caller: socket.socket) -> None:
    """Reads and never answers."""
    while caller.recv(4096):
        pass


def dripping(caller: socket.socket) -> None:
    """Answers one character at a time, each within the socket's timeout, and never ends."""
    caller.sendall(b"HTTP/1.1 200 OK\r\nX: ")
    while True:
        caller.sendall(b"x")
        time.sleep(0.2)


@dataclass
class Post:
    """A mail server that speaks as much SMTP as one message needs."""

    offers: tuple[str, ...] = ()
    refuses: dict[str, int] = field(default_factory=dict)
    tls: ssl.SSLContext | None = None
    heard: list[str] = field(default_factory=list)
    mail: list[str] = field(default_factory=list)

    def __call__(self, caller: socket.socket) -> None:
        caller.sendall(b"220 here\r\n")
        self._talk(caller)

    def _talk(self, caller: socket.socket) -> None:
        lines = caller.makefile("rw", newline="\r\n")

        def say(text: str) -> None:
            lines.write(f"{text}\r\n")
            lines.flush()

        for line in iter(lines.readline, ""):
            self.heard.append(line.strip())
            verb = line.split()[0].upper()
            if verb in self.refuses:
                say(f"{self.refuses[verb]} no")
            elif verb == "EHLO":
                say("\r\n".join([f"250-{each}" for each in ("here", *self.offers)] + ["250 8BITMIME"]))
            elif verb == "STARTTLS" and self.tls:
                say("220 go on")
                self._talk(self.tls.wrap_socket(caller, server_side=True))
                return
            elif verb == "DATA":
                say("354 go on")
                self.mail.append("".join(iter(lines.readline, ".\r\n")))
                say("250 taken")
            elif verb == "QUIT":
                say("221 bye")
                return
            else:
                say({"AUTH": "235 it is you"}.get(verb, "250 well"))
