"""The landing folder as a source: `<landing>/<dataset>/ds=YYYY-MM-DD/` with CSV, JSON lines and Parquet files."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, TypeVar

import pyarrow as pa

from common.contracts.contract import Contract
from common.contracts.declared_source import Files
from common.errors import SourceMissingError
from common.runtime import plan_size
from common.sources.arrow_batches import few, schema
from common.sources.files import completeness
from common.sources.files.file_parts import WHOLE, FilePart, can_be_cut, parts_of, stretch_of, stretches
from common.sources.files.file_reader import FileReader
from common.sources.files.landing_files import LandedFile, file_states, landed_files, landed_states
from common.sources.source import UNREAD, Source, SourceListing, SourceUnit

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

# A file that changed so shortly before it was read may change again without its time telling; clocks differ, too.
SETTLED_SECONDS = 60
# Of more files, the commit does not say what each was.
MOST_FILES = 1_000
# A task that opens many small files takes as long as one that reads so many bytes.
OPENING_BYTES = 1 << 20
Piece = TypeVar("Piece")


@dataclass(frozen=True)
class Landing(Source):
    """One day of one dataset's landing folder."""

    contract: Contract
    root: str
    ds: date
    taken: Mapping[str, Any] | None = None  # what the last ingest of the day said of its source; None: read every file
    folder: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "folder", f"{self.root}/{self.contract.name}/ds={self.ds}")

    def fingerprint(self) -> str:
        """A hash of the names and content of the day's files, each with its length.

        A file is not read if the last ingest has seen it with this size and time of change; nor is any if a size differs.
        """
        files = self.files()
        known = self._known()
        states = {} if known is None else file_states(self.folder)
        read = [file.name for file in files if not file.refused]
        if known is not None and any(_size(known, name) != _size(states, name) for name in read):
            return UNREAD
        digests = {
            name: known[name][2] if known and [*states[name]] == known[name][:2] else self.reader.digest(name)
            for name in read
        }
        return fingerprint_of((file.name, file.refused or digests[file.name]) for file in files)

    def _known(self) -> Mapping[str, Any] | None:
        """Size, time of change and hash of each file as last ingested; None where the commit does not say."""
        return {} if self.taken == {} else (self.taken or {}).get("landed")

    @property
    def reader(self) -> FileReader:
        return FileReader(self.contract, self.folder)

    def files(self) -> list[LandedFile]:
        marker = self.declared.complete
        return [file for file in landed_files(self.folder) if file.name != marker]

    @property
    def declared(self) -> Files:
        return self.reader.declared

    @property
    def missing(self) -> list[str]:
        """What the day lacks to be complete, if the contract says how to know."""
        marker = self.declared.complete
        return completeness.missing(self.folder, marker) if marker else []

    def holds(self) -> SourceListing:
        files = self.files()
        if files and (lacking := self.missing):
            raise SourceMissingError(
                f"{self.folder} is not complete: {', '.join(lacking[:5])}{' …' if len(lacking) > 5 else ''} "
                f"({len(lacking)} missing); expected what Files(complete={self.declared.complete!r}) promises. "
                "Nothing was read. Wait until the sender has finished, or have the day sent again."
            )
        states = file_states(self.folder)
        units = (
            SourceUnit(file.name, 0 if file.refused else None, refused=file.refused, state=states.get(file.name))
            for file in files
        )
        return SourceListing(self.folder, tuple(units))

    def so_far(self) -> dict[str, int] | None:
        """Also of the files that are still being written."""
        return completeness.sizes(self.folder) if self.files() and not self.missing else None

    def changed_after(self, moment: datetime) -> bool:
        """By the files' own times."""
        return any(changed > moment.timestamp() for _, changed in landed_states(self.folder).values())

    def read(self, spark: SparkSession, listing: SourceListing) -> DataFrame:
        """A large text file is read by several tasks, cut where a record ends; every other one by one task."""
        reader = self.reader
        sizes = {unit.name: unit.state[0] if unit.state else 0 for unit in listing.good}
        columns = schema([column.name for column in self.contract.columns])
        if sum(sizes.values()) <= plan_size.FEW_BYTES:
            batches = (batch for name in sizes for batch in reader.batches(LandedFile(name)))
            if (rows := few(batches, plan_size.FEW_BYTES)) is not None:
                return spark.createDataFrame(rows, columns).coalesce(1)
        shares = shares_of(parts_by_size(spark, reader, sizes), plan_size.tasks(spark))

        def read_share(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
            for batch in batches:
                for place in batch.column(0).to_pylist():
                    for name, part in shares[place]:
                        yield from reader.batches(LandedFile(name), part)

        records = spark.range(0, len(shares), 1, len(shares)).mapInArrow(read_share, columns)
        return plan_size.by_size(records, sum(sizes.values()))

    def was_read(self, listing: SourceListing) -> SourceListing:
        """The commit says what each file was, so that it need not be read again to know that it is the same."""
        now = time.time_ns()
        units = listing.units
        fingerprint = fingerprint_of((unit.name, unit.digest or unit.refused) for unit in units)
        if len(units) > MOST_FILES:
            return replace(listing, fingerprint=fingerprint)
        landed = {unit.name: [*_settled(unit.state, now), unit.digest] for unit in units if unit.digest}
        return replace(listing, fingerprint=fingerprint, facts={**listing.facts, "landed": landed})


def fingerprint_of(files: Iterable[tuple[str, str]]) -> str:
    """Of names, each with its file's hash or what is wrong with it."""
    digest = hashlib.sha256()
    for name, content in files:
        for part in (name.encode(), _bytes(content)):
            digest.update(len(part).to_bytes(8, "big") + part)
    return digest.hexdigest()


def _bytes(content: str) -> bytes:
    is_hash = len(content) == 64 and not content.strip("0123456789abcdef")
    return bytes.fromhex(content) if is_hash else content.encode()


def _size(states: Mapping[str, Any], name: str) -> int | None:
    return states[name][0] if name in states else None


def _settled(state: tuple[int, int] | None, now: int) -> tuple[int | None, int | None]:
    """Size and time of change, without the time if the file may have changed again at that very time."""
    size, changed = state or (None, None)
    return size, changed if changed and changed < now - SETTLED_SECONDS * 10**9 else None


def parts_by_size(spark: SparkSession, reader: FileReader, sizes: Mapping[str, int]) -> dict[tuple[str, FilePart], int]:
    """The files, the large ones in parts, each with its size. Tasks look where records begin."""
    large = {name: size for name, size in sizes.items() if can_be_cut(name, size, reader.declared)}
    found = {(name, WHOLE): size for name, size in sizes.items() if name not in large}
    asked = [(name, *stretch) for name, size in large.items() for stretch in stretches(size)]
    if not asked:
        return found

    def look(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            seen = [json.dumps(reader.look(*asked[place])) for place in batch.column(0).to_pylist()]
            yield pa.RecordBatch.from_arrays([batch.column(0), pa.array(seen)], names=["place", "seen"])

    rows = spark.range(0, len(asked), 1, len(asked)).mapInArrow(look, "place long, seen string").collect()
    looked = [stretch_of(row.seen) for row in sorted(rows, key=lambda row: row.place)]
    for name, size in large.items():
        for part in parts_of([one for (file, *_), one in zip(asked, looked, strict=True) if file == name]):
            found[name, part] = (size if part.end is None else part.end) - part.start
    return found


def shares_of(sizes: Mapping[Piece, int], tasks: int) -> list[list[Piece]]:
    """The files, in as many parts of about the same size as there are tasks; the largest first."""
    parts: list[list[Piece]] = [[] for _ in range(min(tasks, len(sizes)))]
    loads = [0] * len(parts)
    for name in sorted(sizes, key=lambda name: -sizes[name]):
        smallest = loads.index(min(loads))
        parts[smallest].append(name)
        loads[smallest] += sizes[name] + OPENING_BYTES
    return parts
