"""List the published feature tables, their versions, and open any version. No Spark.

>>> table = Lake("data/lake").features("purchases@v1")
>>> table.at(as_of="2026-02-01T06:00").pandas(ds="2026-01-02", columns=["user_id", "spend"])
   user_id  spend
0        1  11.00
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime

from common.errors import SourceMissingError, UsageError
from common.lake import snapshot
from common.lake.log import delta_log
from common.lake.log.delta_log import Commit
from common.lake.storage.files import list_folders
from common.names import NAME, did_you_mean
from common.published.view import Version, View

FOLDER = "published"
_NUMBER = r"v(0|[1-9][0-9]{0,5})"
_TABLE = re.compile(rf"({NAME.pattern})(?:@{_NUMBER})?")
_VERSION = re.compile(_NUMBER)


def moment(at: datetime) -> str:
    """Format a time to the millisecond, like the Delta log, so that parsing it finds the same version."""
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def parse_moment(time: datetime | str) -> datetime:
    """Parse a time, in UTC unless it names a zone; a day means its midnight."""
    try:
        parsed = time if isinstance(time, datetime) else datetime.fromisoformat(time)
        return (parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise UsageError(
            f"time {time!r} can't be read; expected one like 2026-02-01T06:00, 2026-02-01T07:00+01:00 or 2026-02-01"
        ) from None


@dataclass(frozen=True)
class Lake:
    """A lake by its folder or URL.

    >>> Lake("data/lake")
    Lake(uri='data/lake')
    """

    uri: str

    def tables(self) -> list[str]:
        """Every feature version of every dataset, as `name@vN`.

        >>> Lake("data/lake").tables()
        ['purchases@v1']
        """
        versions = [(name, number) for name in self._datasets() for number in self._numbers(name)]
        return [f"{name}@v{number}" for name, number in sorted(versions)]

    def features(self, name: str) -> FeatureTable:
        """Return a table by its name, `name@vN`; without `@vN`, the newest feature version.

        >>> Lake("data/lake").features("purchases").name
        'purchases@v1'
        """
        form = _TABLE.fullmatch(name)
        if not form:
            raise UsageError(f"{name!r} is not the name of a table; expected one like name@v1")
        numbers = self._numbers(form[1]) if form[1] in self._datasets() else []
        number = int(form[2]) if form[2] else max(numbers, default=-1)
        if number not in numbers:
            known = self.tables()
            listed = ", ".join(known) or "none yet"
            raise UsageError(f"{name} is not published in {self.uri}; published: {listed}{did_you_mean(name, known)}")
        return FeatureTable(self.uri, form[1], number)

    def _datasets(self) -> list[str]:
        return [name for name in list_folders(f"{self.uri}/{FOLDER}") if NAME.fullmatch(name)]

    def _numbers(self, dataset: str) -> list[int]:
        folder = f"{self.uri}/{FOLDER}/{dataset}"
        matches = [_VERSION.fullmatch(name) for name in list_folders(folder) if delta_log.exists(f"{folder}/{name}")]
        return [int(match[1]) for match in matches if match]


@dataclass(frozen=True)
class FeatureTable:
    """One feature table; every call reads its log again.

    >>> Lake("data/lake").features("purchases@v1").uri
    'data/lake/published/purchases/v1'
    """

    lake: str
    dataset: str
    number: int

    @property
    def name(self) -> str:
        return f"{self.dataset}@v{self.number}"

    @property
    def plain_name(self) -> str:
        """For online stores, warehouses and folders, which take no @."""
        return f"{self.dataset}_v{self.number}"

    @property
    def path(self) -> str:
        return f"{FOLDER}/{self.dataset}/v{self.number}"

    @property
    def uri(self) -> str:
        return f"{self.lake}/{self.path}"

    def versions(self) -> list[Version]:
        """The publications, newest first.

        >>> [(one.version, list(one.days)) for one in Lake("data/lake").features("purchases").versions()]
        [(1, ['2026-01-02']), (0, ['2026-01-01', '2026-01-02'])]
        """
        return _publications(snapshot.commits_by_time(self.uri))

    def at(self, *, version: int | None = None, as_of: datetime | str | None = None, pin: str | None = None) -> View:
        """Open the table at a version, at a time or at a pin; by default, at its newest version.

        Compaction creates versions too; they hold the rows of the publication before them.

        >>> table = Lake("data/lake").features("purchases")
        >>> table.at().version, table.at(version=0).version, table.at(as_of="2026-02-01T06:00").version
        (1, 0, 0)
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
        publications = [published for published in _publications(commits) if published.version <= version]
        return View(self.name, snapshot.open_version(self.uri, version), publications)

    def _version_at(self, at: datetime, commits: list[Commit]) -> int:
        first = next(reversed(_publications(commits)), None)
        if first is None or at < first.at:
            hint = (
                f"its first publication is version {first.version} of {moment(first.at)}"
                if first
                else "it has no publication"
            )
            raise SourceMissingError(f"nothing of {self.name} was published by {moment(at)}; {hint}")
        newest, *_ = (commit.version for commit in commits if commit.at <= at)
        return newest

    def _version_of(self, name: str) -> int:
        from common.lake.pins import find  # which reads any table of the lake itself

        pin = find(self.lake, name)
        if pin.table != self.path:
            raise UsageError(f"pin {name} is of {pin.table}, not of {self.path}; see: features pins")
        return pin.version


def _publications(commits: list[Commit]) -> list[Version]:
    return [
        Version(commit.version, commit.at, commit.books)
        for commit in commits
        if commit.books.get("job") == "publish" and commit.books.get("days")
    ]
