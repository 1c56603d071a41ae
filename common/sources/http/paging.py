"""How an API names its next page, and where its records are."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit

from common.errors import SourceUnreachableError, UsageError
from common.printable import printable
from common.sources.json_values import JsonNumber, RepeatedNames, json_object, plain_text

SHOWN = 80  # characters of what was sent, in an error
_NEXT = re.compile(r'<([^>]*)>[^<]*?;\s*rel="?[^",;]*\bnext\b')


@dataclass(frozen=True)
class Page:
    """The answer to one request."""

    url: str
    link: str
    text: str

    @cached_property
    def document(self) -> Any:
        try:
            return _DECODER.decode(self.text)
        except (ValueError, RecursionError):
            raise SourceUnreachableError(
                f"{urlsplit(self.url).path} is not JSON: it begins {printable(self.text[:SHOWN])}; nothing was written"
            ) from None


@dataclass(frozen=True)
class _Counting:
    """A parameter of the address counts; the first page without a record is the last."""

    parameter: str
    first: int

    def begin(self, url: str) -> str:
        return with_parameters(url, {self.parameter: str(self.first)})

    def after(self, page: Page, document: Any, records: int) -> str | None:
        number = int(dict(parse_qsl(urlsplit(page.url).query))[self.parameter])
        return with_parameters(page.url, {self.parameter: str(number + self.step(records))}) if records else None

    def step(self, records: int) -> int:
        raise NotImplementedError


@dataclass(frozen=True)
class ByPage(_Counting):
    """Pages have numbers; the first without a record is the last."""

    parameter: str = "page"
    first: int = 1

    def step(self, records: int) -> int:
        return 1


@dataclass(frozen=True)
class ByOffset(_Counting):
    """A page begins behind as many records as were sent; the first without a record is the last."""

    parameter: str = "offset"
    first: int = 0

    def step(self, records: int) -> int:
        return records


@dataclass(frozen=True)
class ByCursor:
    """A page's document has the cursor of the next one; the last page has none."""

    parameter: str = "cursor"
    found_at: str = "next"

    def begin(self, url: str) -> str:
        return url

    def after(self, page: Page, document: Any, records: int) -> str | None:
        cursor = behind(document, self.found_at)
        if not isinstance(cursor, str | None):
            raise UsageError(f"the cursor at {self.found_at} is not a text or number; correct ByCursor in the contract")
        return with_parameters(page.url, {self.parameter: cursor}) if cursor else None


@dataclass(frozen=True)
class ByLink:
    """The header Link has the next page's address; the last page has none."""

    def begin(self, url: str) -> str:
        return url

    def after(self, page: Page, document: Any, records: int) -> str | None:
        found = _NEXT.search(page.link)
        if not found:
            return None
        following = urljoin(page.url, found[1])
        if origin(following) != origin(page.url):
            raise SourceUnreachableError(
                f"the next page is at {printable(origin(following))}, but {origin(page.url)} was asked; a link elsewhere is "
                "not followed"
            )
        return str(following)


Pages = ByPage | ByOffset | ByCursor | ByLink


_DECODER = json.JSONDecoder(
    object_pairs_hook=json_object, parse_float=JsonNumber, parse_int=JsonNumber, parse_constant=JsonNumber
)


def with_parameters(url: str, parameters: Mapping[str, str]) -> str:
    parts = urlsplit(url)
    kept = [(name, value) for name, value in parse_qsl(parts.query, True) if name not in parameters]
    return str(parts._replace(query=urlencode([*kept, *parameters.items()])).geturl())


def origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}".lower()


def behind(document: Any, path: str) -> Any:
    """What is at a path like data.items; None if nothing is."""
    for name in path.split(".") if path else ():
        if isinstance(document, RepeatedNames):
            raise SourceUnreachableError(
                f"a page has a name twice in one object, of {sorted(map(printable, document))[:10]}, and which one counts is "
                "not said; nothing was written; ask who runs the API"
            )
        document = document.get(name) if isinstance(document, dict) else None
    return document


def records_of(page: Page, document: Any, path: str) -> list[Any]:
    found = behind(document, path)
    if isinstance(found, list):
        return found
    has = f"has {sorted(map(printable, document))[:10]}" if isinstance(document, dict) else "is not an object"
    raise UsageError(
        f"{urlsplit(page.url).path} has no list at records={path!r}: the document {has}; correct the source in the contract"
    )


def value_text(value: Any, mark: str = ".") -> str | None:
    return json_text(value) if isinstance(value, dict | list) else plain_text(value, mark)


def json_text(value: Any) -> str:
    """As JSON, with the digits of numbers as they were sent."""
    if isinstance(value, JsonNumber):
        return str(value)
    if isinstance(value, dict):
        pairs = value.pairs if isinstance(value, RepeatedNames) else value.items()
        return "{" + ", ".join(f"{json_text(name)}: {json_text(one)}" for name, one in pairs) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(json_text, value)) + "]"
    return json.dumps(value, ensure_ascii=False)
