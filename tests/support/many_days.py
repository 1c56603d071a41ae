"""Makes a lake of a few really run days into one of thousands: every table has the commits, files and checkpoints of each day.

The template's days are laid down first, then its last `CYCLE` days again and again, each with its own dates. Of the newest
days the rows too have their dates and keys; the files of older days are the template's own, under other names.
Commits are as old as their days, and those older than the table's retention are gone, as Delta removes them.
"""

from __future__ import annotations

import json
import os
import struct
import zlib
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pyarrow.parquet as pq
from deltalake import DeltaTable

from tests.support.shifted_rows import shifted_rows, shifted_text

CYCLE = 14
# The days before a day that it may read: its window and the lateness before it.
RECENT = 45
HADOOP_CHUNK = 512
VERDICTS = "verdicts"
EXPECTATIONS = Path("gx/uncommitted/validations")

Action = dict[str, Any]


@dataclass(frozen=True)
class Commit:
    version: int
    actions: list[Action]

    @cached_property
    def books(self) -> dict[str, Any]:
        info = next(action["commitInfo"] for action in self.actions if "commitInfo" in action)
        return json.loads(info["userMetadata"])


@dataclass
class GrowingTable:
    """One table of the template, and how far its copy has come."""

    source: Path
    target: Path
    version: int = -1
    offset: int = 0  # of the day that is being copied: what is added to the template's versions
    live: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))  # paths by partition folder

    @cached_property
    def commits(self) -> dict[date, list[Commit]]:
        by_day = defaultdict(list)
        for file in sorted((self.source / "_delta_log").glob("*.json")):
            commit = Commit(int(file.stem), [*map(json.loads, file.read_text().splitlines())])
            by_day[date.fromisoformat(commit.books["ds"])].append(commit)
        return by_day

    @cached_property
    def settings(self) -> dict[str, str]:
        return DeltaTable(str(self.source)).metadata().configuration

    @property
    def checkpoints(self) -> range:
        """The versions with a checkpoint: Spark and deltalake do not make them at the same ones."""
        interval = int(self.settings.get("delta.checkpointInterval", "100"))
        last = self.source / "_delta_log" / "_last_checkpoint"
        first = json.loads(last.read_text())["version"] % interval if last.exists() else interval - 1
        return range(first or interval, self.version + 1, interval)


@dataclass(frozen=True)
class GrownLake:
    template: Path
    lake: Path

    def days(self, number: int, last: date) -> None:
        """So many days, of which the last one is `last`."""
        names = [log.parent.relative_to(self.template) for log in self.template.rglob("_delta_log")]
        tables = {str(name): GrowingTable(self.template / name, self.lake / name) for name in sorted(names)}
        run = sorted({day for table in tables.values() for day in table.commits})
        others = [*self._other_files({*map(str, run)})]
        for place in range(number):
            copied = run[place] if place < len(run) else run[(place - len(run)) % CYCLE - CYCLE]
            day = last - timedelta(days=number - 1 - place)
            shift = _Shift(copied, day, rows=number - place <= RECENT)
            for table in tables.values():
                table.offset = table.version + 1 - min((c.version for c in table.commits[copied]), default=0)
            for table in tables.values():
                for position, commit in enumerate(table.commits[copied]):
                    _copy(commit, table, tables, shift, position)
            for path in others:
                if str(copied) in path.name:
                    self._copy_other(path, shift)
            self._copy_expectations(run.index(copied), shift)
        for table in tables.values():
            _checkpoint(table)

    def _other_files(self, days: set[str]) -> Iterator[Path]:
        """The run log and what stands beside it: a file a day."""
        for folder in ("runs", "results", "lineage"):
            yield from (path for path in (self.template / folder).rglob("*.json*") if path.name[:10] in days)

    def _copy_other(self, path: Path, shift: _Shift) -> None:
        place = self.lake / shifted_text(str(path.relative_to(self.template)), shift.by)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(shifted_text(path.read_text(), shift.by))

    def _copy_expectations(self, number: int, shift: _Shift) -> None:
        """Great Expectations names its results by the moment."""
        for name in (self.template / EXPECTATIONS).glob("*/*/*"):
            result = sorted(name.glob("*/*.json"))[number]
            moment = datetime.fromtimestamp(shift.moment(0) / 1000, UTC)
            place = self.lake / name.relative_to(self.template) / f"{moment:%Y%m%dT%H%M%S.%fZ}" / result.name
            place.parent.mkdir(parents=True)
            os.link(result, place)


@dataclass(frozen=True)
class _Shift:
    copied: date
    day: date
    rows: bool  # whether the rows move too

    @property
    def by(self) -> timedelta:
        return self.day - self.copied

    def moment(self, position: int) -> int:
        """In milliseconds: the night after the day."""
        night = datetime.combine(self.day + timedelta(days=1), time(1, position), UTC)
        return int(night.timestamp() * 1000)


def _copy(commit: Commit, table: GrowingTable, tables: dict[str, GrowingTable], shift: _Shift, position: int) -> None:
    moment, offset = shift.moment(position), {name: each.offset for name, each in tables.items()}
    actions = []
    for original in commit.actions:
        action = json.loads(shifted_text(json.dumps(original), shift.by))
        (kind,) = action
        body = action[kind]
        if kind == "commitInfo":
            body["timestamp"] = moment
            body["userMetadata"] = json.dumps(_with_versions(json.loads(body["userMetadata"]), offset))
        elif kind == "txn":
            body["lastUpdated"] = moment
            if body["appId"] == "decisions on keys":  # one number for all days
                body["version"] += table.offset
        elif kind == "add":
            body["modificationTime"] = moment
            table.live[_folder(body["path"])].append(body["path"])
            body["size"] = _copy_file(unquote(original["add"]["path"]), unquote(body["path"]), table, offset, shift)
        elif kind == "remove":
            body["deletionTimestamp"] = moment
            body["path"] = _taken(table, body["path"])
        actions.append(action)
    table.version += 1
    assert table.version == commit.version + table.offset
    log = table.target / "_delta_log"
    log.mkdir(parents=True, exist_ok=True)
    written = log / f"{table.version:020}.json"
    written.write_text("".join(json.dumps(action, separators=(",", ":")) + "\n" for action in actions))
    files = [written]
    if (table.source / "_delta_log" / f".{commit.version:020}.json.crc").exists():
        files += _as_spark_does(written)
    for file in files:
        os.utime(file, (moment / 1000, moment / 1000))


def _with_versions(books: dict[str, Any], offset: dict[str, int]) -> dict[str, Any]:
    for name in ("sources", "beside"):
        for path, known in (books.get(name) or {}).items():
            if path in offset and isinstance(known, int):
                books[name][path] = known + offset[path]
            elif path in offset and isinstance(known, list):
                known[1] += offset[path]
    for facts in books["days"].values() if isinstance(books.get("days"), dict) else ():
        features = next(path for path in offset if path.startswith("features/"))
        facts["features_version"] += offset[features]
        _with_versions(facts, offset)
    return books


def _folder(path: str) -> str:
    return path.rpartition("/")[0]


def _taken(table: GrowingTable, path: str) -> str:
    """The file that the copy of a commit removes: where two cycles meet, another one of the same partition."""
    there = table.live[_folder(path)]
    found = path if path in there or not there else there[0]
    if found in there:
        there.remove(found)
    return found


def _copy_file(before: str, now: str, table: GrowingTable, offset: dict[str, int], shift: _Shift) -> int:
    source, target = table.source / before, table.target / now
    target.parent.mkdir(parents=True, exist_ok=True)
    if shift.rows:
        rows = shifted_rows(pq.ParquetFile(source).read(), shift.by)
        if table.source.parent.name == VERDICTS:
            rows = _of_new_versions(rows, offset)
        pq.write_table(rows, target, compression="snappy")
    elif not target.exists():
        os.link(source, target)
    return target.stat().st_size


def _of_new_versions(rows: Any, offset: dict[str, int]) -> Any:
    moved = [
        {
            **row,
            "version": row["version"] + next(by for path, by in offset.items() if path.startswith(f"{row['table']}/")),
        }
        for row in rows.to_pylist()
    ]
    return type(rows).from_pylist(moved, schema=rows.schema)


def _as_spark_does(written: Path) -> Iterator[Path]:
    """Beside each commit Spark leaves a checksum of the table, and Hadoop one of each of these files."""
    checksum = written.with_suffix(".crc")
    checksum.write_text("{}")
    for path in (written, checksum):
        content = path.read_bytes()
        chunks = [content[start : start + HADOOP_CHUNK] for start in range(0, len(content), HADOOP_CHUNK)]
        sums = b"".join(struct.pack(">I", zlib.crc32(chunk)) for chunk in chunks)
        sum_of_it = path.parent / f".{path.name}.crc"
        sum_of_it.write_bytes(b"crc\0" + struct.pack(">i", HADOOP_CHUNK) + sums)
        yield from (path, sum_of_it)


def _is_expired(table: GrowingTable, commit: Path) -> bool:
    _, days, _ = table.settings["delta.logRetentionDuration"].split()
    return datetime.fromtimestamp(commit.stat().st_mtime, UTC) < datetime.now(UTC) - timedelta(days=int(days))


def _checkpoint(table: GrowingTable) -> None:
    """The last one has the table's state; those before it are only names, which nobody opens."""
    if not (versions := table.checkpoints):
        return
    *earlier, newest = versions
    DeltaTable(str(table.target), version=newest).create_checkpoint()
    log = table.target / "_delta_log"
    expired = [version for version in earlier if _is_expired(table, log / f"{version:020}.json")]
    for version in earlier[max(0, len(expired) - 1) :]:
        os.link(log / f"{newest:020}.checkpoint.parquet", log / f"{version:020}.checkpoint.parquet")
    for path in log.glob("*.*") if expired else ():
        version = path.name.lstrip(".")[:20]
        if version.isdigit() and int(version) < expired[-1]:
            path.unlink()
    if (last := log / f"{table.version:020}.crc").exists():
        for path in (last, log / f".{last.name}.crc"):  # Spark computes anew what it does not find
            path.unlink()
