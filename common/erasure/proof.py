"""Search every file of a lake for an entity: its values, its name in texts and in file names, and the statistics of the logs."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyarrow import types

from common.erasure.person import Person
from common.erasure.places import Places
from common.lake.erasing.row_erasure import with_plain_texts
from common.lake.storage.files import read_bytes


@dataclass
class Search:
    """What was looked at, and where the entity still stands."""

    files: int = 0
    bytes: int = 0
    found: list[dict[str, Any]] = field(default_factory=list)
    elsewhere: set[str] = field(default_factory=set)  # other datasets with files that name the entity

    @property
    def facts(self) -> dict[str, Any]:
        told = {"files": self.files, "bytes": self.bytes, "found": len(self.found)}
        return {**told, "other_datasets": sorted(self.elsewhere)}


def search(places: Places, person: Person) -> Search:
    done = Search()
    for path in places.files():
        look(done, f"{places.lake}/{path}", path, person)
    for owner, path in places.of_others():
        if owner not in done.elsewhere and person.is_telling:
            others = Search()
            look(others, f"{places.lake}/{path}", path, person)
            done.elsewhere |= {owner} if others.found else set()
    return done


def look(done: Search, uri: str, path: str, person: Person) -> None:
    """Look at one file; `path` is how a finding calls it, which must not hold the entity itself."""
    try:
        content = read_bytes(uri)
    except FileNotFoundError:
        return  # another run has replaced it meanwhile
    done.files += 1
    done.bytes += len(content)
    what = {*_kinds(path, content, person)}
    shown = person.scrubbed_text(path)
    done.found += [{"file": shown, "holds": kind} for kind in sorted(what)]


def _kinds(path: str, content: bytes, person: Person) -> Iterator[str]:
    if person.is_in(path):
        yield "its name"
    if path.endswith(".parquet"):
        yield from _in_parquet(content, person, is_log="/_delta_log/" in path)
    elif "/_delta_log/" in path and path.endswith(".json"):
        yield from _in_log(content.decode(errors="replace"), person)
    elif _in_text(content.decode(errors="replace"), person):
        yield "text"


def _in_parquet(content: bytes, person: Person, is_log: bool) -> Iterator[str]:
    file = pq.ParquetFile(io.BytesIO(content))
    rows = with_plain_texts(file.read())
    if is_log:
        yield from _in_log(json.dumps(rows.to_pylist(), default=str), person)
        return
    if (names := person.needs(rows.column_names)) and pc.any(person.mask(rows.select(names))).as_py():
        yield "rows"
    if person.is_telling and (_names(rows, person) or any(_bounds_name(part, person) for part in _parts(file))):
        yield "values that name it"


def _names(rows: pa.Table, person: Person) -> bool:
    """Whether any text in any column, however deep, names the entity. Its own column says exactly who is meant: `a-1-2` is
    not `a-1`."""
    others = (rows[name] for name in rows.column_names if name != person.column.name)
    return any(person.is_in(text) for column in others for text in _texts(column.combine_chunks()))


def _parts(file: pq.ParquetFile) -> Iterator[dict[str, Any]]:
    for group in file.metadata.to_dict()["row_groups"]:
        yield from group["columns"]


def _bounds_name(part: dict[str, Any], person: Person) -> bool:
    """Of one column of a row group, by its smallest and largest value."""
    if part["path_in_schema"] != person.column.name:
        return person.is_in(str(part))
    told = part["statistics"] or {}
    return any(person.is_value(told.get(name)) for name in ("min", "max"))


def _texts(array: Any) -> Iterator[str]:
    if isinstance(array, pa.ChunkedArray):
        array = array.combine_chunks()
    if types.is_struct(array.type):
        for part in array.flatten():
            yield from _texts(part)
    elif types.is_list(array.type) or types.is_large_list(array.type) or types.is_map(array.type):
        yield from _texts(array.flatten()) if not types.is_map(array.type) else map(str, array.to_pylist())
    elif not types.is_temporal(array.type) and not types.is_floating(array.type) and not types.is_boolean(array.type):
        yield from (str(value) for value in pc.unique(array).to_pylist() if value is not None)


def _in_log(text: str, person: Person) -> Iterator[str]:
    if person.is_in(text):
        yield "text"
    for line in text.splitlines():
        if '"stats"' in line and any(map(person.in_statistics, _statistics(json.loads(line)))):
            yield "statistics"


def _statistics(value: Any) -> Iterator[str]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, item in items:
        if name == "stats" and isinstance(item, str) and item:
            yield item
        else:
            yield from _statistics(item)


def _in_text(text: str, person: Person) -> bool:
    if person.is_in(text):
        return True
    try:
        documents = [json.loads(text)]
    except ValueError:
        documents = [*_lines(text)]
    return any(person.scrubbed(each) != each for each in documents)


def _lines(text: str) -> Iterator[Any]:
    for line in text.splitlines():
        try:
            yield json.loads(line)
        except ValueError:
            continue
