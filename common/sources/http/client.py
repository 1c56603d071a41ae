"""Fetches one page of an API at a time, within the declared rate and number of attempts."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from common.errors import SourceUnreachableError, UsageError
from common.printable import printable
from common.sources.credentials import from_environment, is_set
from common.sources.http.paging import SHOWN, Page, origin

if TYPE_CHECKING:
    from requests import PreparedRequest, Response, Session

MEGABYTE = 1_000_000
FIRST_WAIT, LONGEST_WAIT = 0.5, 60.0
# If an API asks for a longer pause, a later run must ask again.
LONGEST_RETRY_AFTER = 600.0
AGAIN = (408, 425, 429)


class AskAgainError(Exception):
    """An error that another attempt may not meet."""

    def __init__(self, why: str, wait: float | None = None) -> None:
        super().__init__(why)
        self.wait = wait


@dataclass(frozen=True)
class Auth:
    """The value of a header, out of the environment."""

    variable: str
    header: str
    scheme: str
    optional: bool = False

    def value(self) -> str:
        if self.optional and not is_set(self.variable):
            return ""
        text = from_environment(self.variable, "the token of the API")
        if not text or not text.isascii() or not text.isprintable():
            raise UsageError(f"{self.variable} is empty or has characters that no header may have; set it to the token")
        return f"{self.scheme} {text}".strip()


@dataclass
class Client:
    auth: Auth | None
    timeout_seconds: float
    attempts: int
    rate: float
    most_bytes: int
    asked: int = 0
    let_in: bool = False  # the API has answered with a page before
    taken: int = 0
    _next: float = field(default=0.0, repr=False)

    @cached_property
    def _session(self) -> Session:
        """Keeps the connection from page to page, and nothing else: no cookie."""
        from http.cookiejar import DefaultCookiePolicy

        from requests import Session

        session = Session()
        session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        return session

    def close(self) -> None:
        self._session.close()

    def page(self, url: str, sent: Any = None) -> Page:
        """What is at the address; where something is sent, what it answers to that."""
        for attempt in range(1, self.attempts + 1):
            # A token may be renewed in its file between two attempts.
            secret = self.auth.value() if self.auth else ""
            try:
                page = self._ask(url, secret, sent)
                self.let_in = True
                return page
            except AskAgainError as error:
                why, wait = str(error), error.wait
            if wait is not None and wait > LONGEST_RETRY_AFTER:
                why += f", and asks to wait {wait:.0f} seconds"
                break
            if attempt < self.attempts:
                time.sleep(_backoff(attempt) if wait is None else wait)
        raise SourceUnreachableError(f"{origin(url)}{urlsplit(url).path} {why}; nothing was written; run again later")

    def _ask(self, url: str, secret: str, sent: Any) -> Page:
        import requests

        time.sleep(max(0.0, self._next - time.monotonic()))
        self._next = time.monotonic() + 1 / self.rate
        self.asked += 1

        def sign(request: PreparedRequest) -> PreparedRequest:
            if self.auth and secret:
                request.headers[self.auth.header] = secret
            return request

        end = time.monotonic() + self.timeout_seconds
        try:
            # With an auth of ours, the client takes no login out of a .netrc file.
            with self._session.request(
                "GET" if sent is None else "POST",
                url,
                json=sent,
                auth=sign,
                headers={"Accept": "application/json"},
                timeout=self.timeout_seconds,
                stream=True,
                allow_redirects=False,
            ) as response:
                self._require_good(response, url)
                body = self._body(response, end)
        except requests.Timeout:
            raise AskAgainError(f"did not answer within {self.timeout_seconds} seconds") from None
        except requests.ConnectionError:
            raise AskAgainError("can't be reached, or cut the connection") from None
        except requests.RequestException as error:
            raise AskAgainError(f"could not be read to its end ({type(error).__name__})") from None
        return _page(url, response, body)

    def _require_good(self, response: Response, url: str) -> None:
        status, where = response.status_code, f"{origin(url)}{urlsplit(url).path}"
        if status in AGAIN or status >= 500:
            raise AskAgainError(f"answers with {status}", _retry_after(response.headers.get("Retry-After", "")))
        if status == 401 and self.auth and self.let_in:
            raise AskAgainError(
                f"refuses the token in {self.auth.variable}, which it took before ({status}); it has expired"
            )
        if status in (401, 403):
            what = f"the token in {self.auth.variable}" if self.auth else "auth= in the contract, as none is declared"
            raise UsageError(f"{where} refuses access ({status}); correct {what}")
        if 300 <= status < 400:
            raise UsageError(
                f"{where} redirects to another address ({status}), which is not followed; declare the new address"
            )
        if status != 200:
            raise UsageError(f"{where} answers with {status}; correct base, path or parameters in the contract")

    def _body(self, response: Response, end: float) -> bytes:
        body = bytearray()
        for piece in response.iter_content(65_536):
            body += piece
            if self.taken + len(body) > self.most_bytes:
                raise UsageError(
                    f"the pages have more than {self.most_bytes // MEGABYTE} MB; declare a larger most_megabytes, or a filter"
                )
            if time.monotonic() > end:
                raise AskAgainError(f"did not answer within {self.timeout_seconds} seconds")
        return bytes(body)


def _page(url: str, response: Response, body: bytes) -> Page:
    kind, begins = response.headers.get("Content-Type", ""), printable(body[:SHOWN].decode("utf-8", "replace"))
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = ""
    if "json" not in kind.lower() or not text:
        raise SourceUnreachableError(
            f"{urlsplit(url).path} is {printable(kind) or 'of no type'}, expected JSON in UTF-8: it begins {begins}; nothing "
            "was written"
        )
    page = Page(url, response.headers.get("Link", ""), text)
    _ = page.document  # raises if it is none
    return page


def _backoff(attempt: int) -> float:
    """Longer after each attempt, and random, so that clients do not retry together."""
    longest: float = min(LONGEST_WAIT, FIRST_WAIT * 2 ** (attempt - 1))
    return longest * random.uniform(0.5, 1)  # noqa: S311


def _retry_after(text: str) -> float | None:
    """In seconds; the header has a number of them, or a date."""
    if text.strip().isdecimal():
        return float(text)
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    return max(0.0, (moment.replace(tzinfo=moment.tzinfo or UTC) - datetime.now(UTC)).total_seconds())
