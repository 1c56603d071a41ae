"""A paginated JSON API as a source: its answer for a period, page by page."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from common.contracts.declared_source import DeclaredSource, require_least, require_short_name
from common.errors import SourceUnreachableError, UsageError, require
from common.sources.http.client import MEGABYTE, Auth, Client
from common.sources.http.kept_pages import KeptPages
from common.sources.http.kept_records import KeptRecords
from common.sources.http.paging import ByPage, Page, Pages, json_text, records_of, value_text, with_parameters
from common.sources.mongo.documents import DocumentReader
from common.sources.rows import OpenedOnce, require_over
from common.sources.source import Period, Source, SourceListing, SourceUnit

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

LEAST = {"settle_minutes": 0, "attempts": 1, "timeout_seconds": 1, "most_pages": 1, "most_megabytes": 1}


@dataclass(frozen=True, kw_only=True)
class Http(DeclaredSource):
    """A JSON API that sends its records in pages. Its token is in the environment, never here."""

    base: str
    path: str
    parameters: Mapping[str, str] = field(default_factory=dict, hash=False)
    pages: Pages = field(default_factory=ByPage)
    records: str = ""
    auth: str | None = None
    auth_header: str = "Authorization"
    auth_scheme: str = "Bearer"
    rate: float = 5.0
    attempts: int = 5
    timeout_seconds: int = 30
    settle_minutes: int = 0
    most_pages: int = 10_000
    most_megabytes: int = 200

    def __post_init__(self) -> None:
        super().__post_init__()
        parts = urlsplit(self.base)
        plain = parts.scheme in ("http", "https") and parts.hostname and not (parts.query or "@" in parts.netloc)
        require(bool(plain), f"base {self.base!r} is not allowed; expected an address like https://api.shop.example/v1")
        require(self.path.startswith("/"), f"path {self.path!r} is not allowed; expected one that begins with /")
        if self.auth is not None:
            require_short_name("auth", self.auth)
        require(self.rate > 0, f"rate {self.rate} is not allowed; expected more than 0")
        require_least(self, LEAST)

    def open(self, period: Period) -> Source:
        return OpenedApi(self, period)


@dataclass
class OpenedApi(OpenedOnce):
    """One period's pages, all of which are fetched before raw is written. Each is taken apart once, as it comes."""

    declared: Http
    kept: KeptPages | None = None
    records: KeptRecords = field(default_factory=KeptRecords)
    facts: dict[str, Any] = field(default_factory=dict)
    is_empty: bool = False

    def holds(self) -> SourceListing:
        require_over(self.period, self.declared.settle_minutes)
        declared = self.declared
        variable = f"{declared.auth.upper()}_TOKEN" if declared.auth else ""
        auth = Auth(variable, declared.auth_header, declared.auth_scheme) if variable else None
        most = declared.most_megabytes * MEGABYTE
        client = Client(auth, declared.timeout_seconds, declared.attempts, declared.rate, most)
        first = self._first()
        self.kept = KeptPages.of(self.period, f"{first} {declared.pages} {declared.records} {declared.auth}")
        asked, read = datetime.now(UTC), _Read()
        reader = DocumentReader(self.period.contract, value_text, json_text)
        with closing(client):
            pages = self._fetched(client, self.kept, first)
            batches = reader.batches(declared.path, read.records(pages))
            self.records = KeptRecords.of(batches, self.kept.folder / "records.arrow")
        self.facts = {
            "api": f"{declared.base}{declared.path}",
            "range": [str(self.period.start), str(self.period.end)],
            "asked_at": str(asked),
            "pages": read.pages,
            "requests": client.asked,
            "pages_sha256": read.sha.hexdigest(),
            "one_moment": read.pages == 1,
        }
        self.is_empty = not read.count and declared.on_empty == "fail"
        units = () if self.is_empty else (SourceUnit(declared.path, read.count),)
        return SourceListing(f"{declared.path} of {declared.base}", units, self.facts)

    def _first(self) -> str:
        times = {"start": _utc(self.period.start), "end": _utc(self.period.end), "ds": str(self.period.ds)}
        parameters = dict(self.declared.parameters)
        for name, value in times.items():
            parameters = {key: text.replace("{" + name + "}", value) for key, text in parameters.items()}
        url = f"{self.declared.base.rstrip('/')}{self.declared.path}"
        return self.declared.pages.begin(with_parameters(url, parameters))

    def _fetched(self, client: Client, kept: KeptPages, url: str) -> Iterator[tuple[Page, list[Any]]]:
        """Every page with its records."""
        declared, seen, before = self.declared, set[str](), ""
        following: str | None = url
        while following:
            if following in seen:
                raise SourceUnreachableError(
                    f"{declared.path} sends its reader in a loop: page {len(seen)} leads to one that was read before; "
                    "nothing was written. Correct pages= in the contract, or ask who runs the API."
                )
            if len(seen) >= declared.most_pages:
                raise UsageError(
                    f"{declared.path} has more than {declared.most_pages} pages; declare a larger most_pages"
                )
            seen.add(following)
            page = kept.get(following)
            if page is None:
                page = client.page(following)
                kept.put(page)
            client.taken += len(page.text.encode())
            records = records_of(page, page.document, declared.records)
            if records and page.text == before:
                raise SourceUnreachableError(
                    f"{declared.path} sends the same page twice: pages {len(seen) - 1} and {len(seen)} are equal; nothing was "
                    "written. Correct pages= in the contract."
                )
            before = page.text
            yield page, records
            following = declared.pages.after(page, page.document, len(records))

    def read(self, spark: SparkSession, listing: SourceListing) -> DataFrame:
        return self.records.read(spark, [column.name for column in self.period.contract.columns])

    def close(self) -> None:
        """Delete what raw now holds, and an empty answer, which is asked for again; a failed run continues with its pages."""
        if self.kept and self.facts:
            taken = replace(self.period).taken
            if self.is_empty or taken.get("asked_at") == self.facts["asked_at"]:
                self.kept.drop()


@dataclass
class _Read:
    """What was in the pages; of their content, only the hash is kept."""

    pages: int = 0
    count: int = 0
    sha: hashlib._Hash = field(default_factory=hashlib.sha256)

    def records(self, pages: Iterable[tuple[Page, list[Any]]]) -> Iterator[Any]:
        for page, records in pages:
            self.pages += 1
            self.count += len(records)
            self.sha.update(page.text.encode())
            yield from records


def _utc(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
