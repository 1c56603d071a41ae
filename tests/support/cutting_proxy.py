"""A TCP proxy before a server that cuts its connections, or goes silent, after so many bytes of its client."""

from __future__ import annotations

import select
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

AT_ONCE = 65_536


@dataclass
class CuttingProxy:
    to_port: int
    port: int = 0
    after: int | None = None  # bytes of one connection's client; none, and it passes on everything
    silent: bool = False  # keeps the connection open instead of cutting it
    passed: int = 0  # by the last connection
    cut: int = 0

    def carry(self, client: socket.socket) -> None:
        self.passed = 0
        with client, socket.create_connection(("127.0.0.1", self.to_port)) as server:
            others = {client: server, server: client}
            while True:
                ready, _, _ = select.select([*others], [], [])
                for side in ready:
                    if self.after is not None and self.passed >= self.after:
                        self.cut += 1
                        while self.silent and client.recv(AT_ONCE):
                            pass
                        return
                    if not (content := side.recv(self._allowed(side is client))):
                        return
                    others[side].sendall(content)
                    self.passed += len(content) * (side is client)

    def _allowed(self, of_client: bool) -> int:
        return min(AT_ONCE, self.after - self.passed) if of_client and self.after is not None else AT_ONCE


@contextmanager
def cutting(to_port: int) -> Iterator[CuttingProxy]:
    proxy = CuttingProxy(to_port)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        proxy.port = listener.getsockname()[1]
        threading.Thread(target=_serve, args=(listener, proxy), daemon=True).start()
        try:
            yield proxy
        finally:
            listener.shutdown(socket.SHUT_RDWR)


def _serve(listener: socket.socket, proxy: CuttingProxy) -> None:
    with suppress(OSError):
        while True:
            client, _ = listener.accept()
            threading.Thread(target=_carry, args=(proxy, client), daemon=True).start()


def _carry(proxy: CuttingProxy, client: socket.socket) -> None:
    with suppress(OSError):
        proxy.carry(client)
