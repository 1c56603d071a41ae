"""Where a dataset's rows come from, as its contract declares it. Files are declared here; other sources in common.sources."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from common.contracts.changes import Debezium
from common.contracts.wording import is_encoding
from common.errors import require
from common.names import NAME, did_you_mean

# The fingerprint of a period that can't be read again as it was: raw is then what later runs are made from.
ASKED_ONCE = "asked once"


@dataclass(frozen=True, kw_only=True)
class DeclaredSource:
    """What every source declares."""

    any_case: bool = False  # names of columns match in upper and lower case
    on_bad_file: str = "fail"
    on_empty: str = "fail"
    empty_day_wipes: bool = False

    def __post_init__(self) -> None:
        require_choice("on_bad_file", self.on_bad_file, ("fail", "quarantine"))
        require_choice("on_empty", self.on_empty, ("fail", "accept"))

    def fold(self, name: str) -> str:
        """The form in which column names are compared."""
        return name.casefold() if self.any_case else name

    @property
    def says_when_complete(self) -> bool:
        """Whether a period that has landed is known to be complete, so that nobody needs to watch it for changes."""
        return True

    @property
    def tells_silence(self) -> bool:
        """Whether a period without a record shows that nothing has changed, because the source was read to the period's end."""
        return self.on_empty == "accept"

    @property
    def can_be_followed(self) -> bool:
        """Whether jobs/stream.py can read a period while it is open."""
        return False

    @property
    def comes_as_stream(self) -> bool:
        """Whether Airflow follows it, too."""
        return self.can_be_followed

    @property
    def needs_java(self) -> bool:
        """Whether it is read through the JVM of the run, which a Spark Connect server does not give."""
        return False

    @property
    def awaited(self) -> str:
        """What a period must bring, in words."""
        return "a period that is over, with at least one record"

    def misfit(self, contract: Any) -> str:
        """What in the contract contradicts the source; empty if nothing."""
        return ""

    def open(self, period: Any) -> Any:
        """Return a `common.sources.source.Source`, which answers for one `Period`."""
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True)
class Files(DeclaredSource):
    """A landing folder of CSV, gzip CSV, JSON lines and Parquet files."""

    delimiter: str = ","
    encoding: str = "utf-8"
    on_empty: str = "accept"
    complete: str | None = None  # the file that says that a day is complete: a marker, or a manifest ending in .json
    longest_record: int = 1_000_000  # in characters; a longer one is quarantined as too_long
    changes: Debezium | None = None  # the files are JSON lines, and each record is a change of a row

    def __post_init__(self) -> None:
        super().__post_init__()
        require_changes(self.changes)
        single = len(self.delimiter) == 1 and self.delimiter not in '"\r\n'
        require(single, f"delimiter {self.delimiter!r} is not allowed; expected one character, no quote or line break")
        require(
            is_encoding(self.encoding), f"encoding {self.encoding!r} is unknown; expected a Python codec like utf-8"
        )
        marker = self.complete
        plain = marker is None or (bool(marker.strip()) and "/" not in marker and marker not in (".", ".."))
        require(
            plain, f"complete {marker!r} is not allowed; expected the name of a file, like _SUCCESS or manifest.json"
        )
        require(self.longest_record > 0, f"longest_record {self.longest_record} is not allowed; expected 1 or more")

    @property
    def says_when_complete(self) -> bool:
        return self.complete is not None

    @property
    def tells_silence(self) -> bool:
        return False  # files that stay the same may be those of an export that has stopped

    @property
    def can_be_followed(self) -> bool:
        return True

    @property
    def comes_as_stream(self) -> bool:
        return False

    @property
    def awaited(self) -> str:
        return "at least one file in its landing folder, and no more changes"


def require_choice(name: str, value: str, choices: tuple[str, ...]) -> None:
    hint = did_you_mean(value, choices)
    require(value in choices, f"{name} {value!r} is unknown{hint}; expected {' or '.join(map(repr, choices))}")


def require_changes(changes: object) -> None:
    fits = changes is None or isinstance(changes, Debezium)
    require(fits, f"changes is a {type(changes).__name__}; expected Debezium(...), or None for rows")


def require_short_name(what: str, name: str) -> None:
    """Raise if it can't name an environment variable."""
    plain = bool(NAME.fullmatch(name))
    require(plain, f"{what} {name!r} is not allowed; expected lower-case letters, digits and _, like shop")


def require_least(source: DeclaredSource, least: Mapping[str, float]) -> None:
    """Raise if a number of the declaration is below its least value."""
    for name, lowest in least.items():
        value = getattr(source, name)
        require(value >= lowest, f"{name} {value} is not allowed; expected {lowest} or more")


def source_fault(source: object) -> str:
    """What is wrong with a declared source; empty if nothing."""
    if isinstance(source, Files) or (isinstance(source, DeclaredSource) and _opens(type(source))):
        return ""
    found = f"source is a {type(source).__name__}"
    return f"{found}; expected Files(...), or an object of a class that is based on common.sources.rows.RowSource"


def _opens(class_: type[DeclaredSource]) -> bool:
    return class_.open is not DeclaredSource.open
