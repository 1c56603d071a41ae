"""An object store that answers and refuses: a proxy before a real one, which answers itself where it is told to."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler

from tests.support.http_server import serving
from tests.support.s3_server import S3Server

Rule = Callable[[str, str], bool]
DENIED = (403, "AccessDenied", "Access Denied.")
# As MinIO says it, and as Ceph does.
FULL = (507, "XMinioStorageFull", "Storage backend has reached its minimum free drive threshold.")
OVER_QUOTA = (403, "QuotaExceeded", "The bucket is over its quota.")


def never(method: str, path: str) -> bool:
    return False


@dataclass
class RefusingStore:
    server: S3Server
    port: int = 0
    refuses: Rule = never  # by the method and path of a request
    answer: tuple[int, str, str] = DENIED
    refused: list[str] = field(default_factory=list)

    @property
    def environment(self) -> dict[str, str]:
        return {**self.server.environment, "AWS_ENDPOINT_URL": f"http://127.0.0.1:{self.port}"}


def writes(path_part: str = "") -> Rule:
    return lambda method, path: method in ("PUT", "POST") and path_part in path


class _Handler(BaseHTTPRequestHandler):
    store: RefusingStore
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        content = self._content()
        if self.store.refuses(self.command, self.path):
            self.store.refused.append(f"{self.command} {self.path}")
            self._refuse()
        else:
            self._pass_on(content)

    do_HEAD = do_PUT = do_POST = do_DELETE = do_GET  # noqa: N815

    def _content(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        parts = []
        while size := int(self.rfile.readline(), 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def _refuse(self) -> None:
        status, code, message = self.store.answer
        said = f"<Error><Code>{code}</Code><Message>{message}</Message><RequestId>1</RequestId></Error>".encode()
        self.send_response_only(status)
        self._end({"Content-Type": "application/xml", "Content-Length": str(len(said))}, said)

    def _pass_on(self, content: bytes) -> None:
        """With the client's Host, which is part of what it has signed."""
        behind = HTTPConnection("127.0.0.1", self.store.server.port, timeout=60)
        try:
            behind.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
            for name, value in self.headers.items():
                if name.lower() not in ("expect", "connection"):
                    behind.putheader(name, value)
            chunked = self.headers.get("Transfer-Encoding") == "chunked"
            behind.endheaders(iter([content]) if chunked else content, encode_chunked=chunked)
            answer = behind.getresponse()
            said = answer.read()
            self.send_response_only(answer.status)
            unsaid = ("transfer-encoding", "connection")
            told = {name: value for name, value in answer.getheaders() if name.lower() not in unsaid}
            self._end({**({} if "Content-Length" in told else {"Content-Length": str(len(said))}), **told}, said)
        finally:
            behind.close()

    def _end(self, headers: dict[str, str], content: bytes) -> None:
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)


@contextmanager
def refusing(server: S3Server) -> Iterator[RefusingStore]:
    store = RefusingStore(server)
    with serving(type("Handler", (_Handler,), {"store": store})) as store.port:
        yield store
