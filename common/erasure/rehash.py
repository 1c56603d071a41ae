"""After rows were removed, correct every record of how many rows there are and of their hash."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from common.erasure.person import Person
from common.erasure.places import MANIFEST, Places
from common.errors import PipelineError
from common.lake import content_hash, pins, snapshot
from common.lake.erasing import history
from common.lake.erasing.history import write_parquet_aside
from common.lake.erasing.row_erasure import read_parquet
from common.lake.storage.files import locate, write_json
from common.training.store import read_delta
from common.training.training_set import TIME


def publications(uri: str, parts: Collection[str]) -> None:
    """Correct the rows and the hash that publications state for these days."""

    def retold(version: int, books: dict[str, Any]) -> dict[str, Any]:
        days = books.get("days") if books.get("job") == "publish" else None
        changed = {*parts} & {*(days or {})}
        if not changed or not isinstance(days, dict):
            return books
        return {**books, "days": {**days, **{day: _counted(uri, version, day, days[day]) for day in changed}}}

    history.rewrite_commits(uri, retold)


def _counted(uri: str, version: int, day: str, facts: dict[str, Any]) -> dict[str, Any]:
    try:
        content = snapshot.open_version(uri, version).content(day)
    except PipelineError:
        return facts  # a version that vacuum has removed
    return {**facts, "rows": content.rows, "hash": content.hexdigest()}


def pins_of(lake: str, table_path: str, parts: Collection[str]) -> list[str]:
    """The pins of that table that held such rows, by name."""
    own = [pin for pin in pins.pins(lake) if pin.table == table_path]
    return [pin.name for pin in own if pins.rehash(lake, pin.name, parts) != pin]


def training_set(places: Places, home: str) -> bool:
    """Correct the manifest after its splits changed; fitted parameters stay. Returns whether it changed."""
    manifest = places.manifest(home)
    splits = {name: _split(f"{places.lake}/{home}/{name}") for name in manifest.get("splits", {})}
    if splits == manifest.get("splits", {}):
        return False
    erased = [*manifest.get("erased", []), datetime.now(UTC).isoformat(timespec="seconds")]
    write_json(f"{places.lake}/{home}/{MANIFEST}", {**manifest, "splits": splits, "erased": erased})
    return True


def _split(uri: str) -> dict[str, Any]:
    rows = read_delta(uri)
    return {"rows": rows.num_rows, "hash": content_hash.hash_rows(rows, [rows.column_names[0], TIME])}


def export(uri: str, person: Person) -> bool:
    """Write one exported file anew if it holds the entity. Returns whether it did."""
    rows = read_parquet(uri)
    assert rows is not None
    kept = rows.filter(pa.compute.invert(person.mask(rows)))
    if kept.num_rows == rows.num_rows:
        return False
    system, path = locate(uri)
    write_parquet_aside(kept, system, path)
    return True
