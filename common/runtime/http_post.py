"""One HTTP request to a receiver: no redirect, a time-out, and errors whose text holds no secret."""

from __future__ import annotations

from collections.abc import Mapping
from typing import IO, Any
from urllib.error import HTTPError, URLError
from urllib.request import HTTPRedirectHandler, Request, build_opener


class _Stay(HTTPRedirectHandler):
    """Refuses redirects: a redirected POST becomes a GET without its content, to another address."""

    def redirect_request(
        self, req: Request, fp: IO[bytes], code: int, msg: str, headers: Any, newurl: str
    ) -> Request | None:
        return None


def send(url: str, content: bytes, headers: Mapping[str, str], seconds: float, method: str = "POST") -> None:
    with _opened(url, content, headers, seconds, method):
        pass


def ask(url: str, content: bytes | None, headers: Mapping[str, str], seconds: float, method: str) -> bytes:
    with _opened(url, content, headers, seconds, method) as answer:
        return bytes(answer.read())


def _opened(url: str, content: bytes | None, headers: Mapping[str, str], seconds: float, method: str) -> Any:
    """The address must be http or https, which the caller has checked."""
    named = {"User-Agent": "feature-pipeline", **headers}
    return build_opener(_Stay).open(Request(url, content, named, method=method), timeout=seconds)  # noqa: S310


def reason(error: Exception) -> str:
    """The type and number of an error: its text may hold the address or a password."""
    if isinstance(error, HTTPError):
        return f"it answered {error.code}"
    if isinstance(error, URLError) and isinstance(error.reason, Exception):
        return reason(error.reason)
    return type(error).__name__
