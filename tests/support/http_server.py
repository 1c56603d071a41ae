"""HTTP servers on this machine, for as long as a test needs them."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Server(ThreadingHTTPServer):
    """Prints no error of a client that has gone."""

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


@contextmanager
def serving(handler: type[BaseHTTPRequestHandler], port: int = 0) -> Iterator[int]:
    """Yields the port; any free one unless it is given. No request is printed.

    The system would hold back an answer's body for 40 ms, until its head has been acknowledged.
    """
    quiet = type(handler.__name__, (handler,), {"log_message": lambda *said: None, "disable_nagle_algorithm": True})
    server = Server(("127.0.0.1", port), quiet)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
