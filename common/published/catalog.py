"""The published feature tables: which there are, their versions, and the rows of any of them. No Spark.

table = Lake("data/lake").features("purchases@v1")
table.at(as_of="2026-02-01T06:00").pandas(ds="2026-01-31", columns=["user_id", "spend_7d"])
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime

from common.errors import SourceMissingError, UsageError
from common.lake import delta_log, snapshot
from common.lake.delta_log import Commit
from common.lake.files import list_folders
from common.names import NAME
from common.published.view import Version, View

FOLDER = "published"
_NUMBER = r"v(0|[1-9][0-9]{0,5})"
_TABLE = re.compile(rf"({NAME.pattern})(?:@{_NUMBER})?")
_VERSION = re.compile(_NUMBER)


def moment(at: datetime) -> str:
    """To the millisecond, as the log has it: given back as a time, it finds the same version."""
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def parse_moment(given: datetime | str) -> datetime:
    """A time; without a zone it is UTC, and a day is its first moment."""
    try:
        found = given if isinstance(given, datetime) else datetime.fromisoformat(given)
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise UsageError(
            f"time {given!r} can't be read; expected one like 2026-02-01T06:00, 2026-02-01T07:00+01:00 or 2026-02-01"
        ) from None


@dataclass(frozen=True)
class Lake:
    uri: str

    def tables(self) -> list[str]:
        """Every feature version of every dataset, as `name@vN`."""
        found = [(name, number) for name in self._datasets() for number in self._numbers(name)]
        return [f"{name}@v{number}" for name, number in sorted(found)]

    def features(self, name: str) -> FeatureTable:
        """A table by its name, `name@vN`; without `@vN` the newest feature version."""
        form = _TABLE.fullmatch(name)
        if not form:
            raise UsageError(f"{name!r} is no name of a table; expected one like name@v1")
        numbers = self._numbers(form[1]) if form[1] in self._datasets() else []
        number = int(form[2]) if form[2] else max(numbers, default=-1)
        if number not in numbers:
            known = ", ".join(self.tables()) or "none yet"
            raise UsageError(f"{name} is not published in {self.uri}; published: {known}")
        return FeatureTable(self.uri, form[1], number)

    def _datasets(self) -> list[str]:
        return [name for name in list_folders(f"{self.uri}/{FOLDER}") if NAME.fullmatch(name)]

    def _numbers(self, dataset: str) -> list[int]:
        place = f"{self.uri}/{FOLDER}/{dataset}"
        found = [_VERSION.fullmatch(name) for name in list_folders(place) if delta_log.exists(f"{place}/{name}")]
        return [int(each[1]) for each in found if each]


@dataclass(frozen=True)
class FeatureTable:
    """One feature table; each question reads its log anew."""

    lake: str
    dataset: str
    number: int

    @property
    def name(self) -> str:
        return f"{self.dataset}@v{self.number}"

    @property
    def path(self) -> str:
        return f"{FOLDER}/{self.dataset}/v{self.number}"

    @property
    def uri(self) -> str:
        return f"{self.lake}/{self.path}"

    def versions(self) -> list[Version]:
        """The publications, newest first."""
        return _publications(snapshot.commits_by_time(self.uri))

    def at(self, *, version: int | None = None, as_of: datetime | str | None = None, pin: str | None = None) -> View:
        """The table at a version, as it was at a time, or as it was pinned; if none is named, as it is now.

        Packing files is a version too: it has the rows of the publication before it.
        """
        if [version, as_of, pin].count(None) < 2:
            raise UsageError(f"version {version}, as_of {as_of} and pin {pin} exclude each other; name one")
        commits = snapshot.commits_by_time(self.uri)
        if as_of is not None:
            version = self._version_at(parse_moment(as_of), commits)
        elif pin is not None:
            version = self._version_of(pin)
        elif version is None:
            version = commits[0].version
        made = [each for each in _publications(commits) if each.version <= version]
        return View(self.name, snapshot.open_version(self.uri, version), made)

    def _version_at(self, at: datetime, commits: list[Commit]) -> int:
        first = next(reversed(_publications(commits)), None)
        if first is None or at < first.at:
            begins = (
                f"its first publication is version {first.version} of {moment(first.at)}" if first else "it has none"
            )
            raise SourceMissingError(f"nothing of {self.name} was published by {moment(at)}; {begins}")
        newest, *_ = (each.version for each in commits if each.at <= at)
        return newest

    def _version_of(self, name: str) -> int:
        from common.lake.pins import find  # which reads any table of the lake itself

        found = find(self.lake, name)
        if found.table != self.path:
            raise UsageError(f"pin {name} is of {found.table}, not of {self.path}; see: features pins")
        return found.version


def _publications(commits: list[Commit]) -> list[Version]:
    return [
        Version(each.version, each.at, each.books)
        for each in commits
        if each.books.get("job") == "publish" and each.books.get("days")
    ]
