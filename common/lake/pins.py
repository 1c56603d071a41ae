"""Named pins that keep a table version; `<lake>/pins/<name>.json` holds the version and its content hashes."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime

from common.errors import ContractViolationError, PipelineError, UsageError
from common.lake import snapshot
from common.lake.content_hash import hash_parts
from common.lake.log import delta_log
from common.lake.snapshot import TableSnapshot, UnreadableError
from common.lake.storage.files import list_files, locate, read_json, write_json
from common.lake.storage.locks import keeping
from common.names import NAME, did_you_mean, require_name

FOLDER = "pins"


@dataclass(frozen=True, kw_only=True)
class Pin:
    name: str
    table: str  # its path within the lake
    version: int
    rows: int
    hash: str  # of all parts
    days: dict[str, str]  # by part, which is a day unless the table is partitioned otherwise
    pinned_at: str
    note: str = ""
    rehashed_at: str = ""  # when rows of an erased entity left the version


def pin(lake: str, name: str, table_path: str, version: int, note: str = "") -> Pin:
    """Keeps a version of any table of the lake. A name never moves to another version; pinning it again changes nothing."""
    require_name(name, "a pin")
    before = _pinned_before(lake, name, table_path, version)
    if before:
        return before
    table = _open(lake, table_path, version)
    rows, days = 0, {}
    for part in table.files:
        content = table.content(part)
        rows, days[part] = rows + content.rows, content.hexdigest()
    new = Pin(
        name=name,
        table=table_path,
        version=version,
        rows=rows,
        hash=hash_parts(days),
        days=days,
        pinned_at=_now(),
        note=note,
    )
    # Vacuum takes the same lock, so it either ran before this check or sees the pin.
    with keeping(lake, FOLDER), keeping(lake, table_path):
        before = _pinned_before(lake, name, table_path, version)
        table.require_present()
        if not before:
            _write(lake, new)
    return before or new


def pins(lake: str) -> list[Pin]:
    """Return all pins by name. Raise if one is unreadable, because the version it keeps must not be removed."""
    names = [file.base_name.removesuffix(".json") for file in list_files(f"{lake}/{FOLDER}")]
    return [_load(lake, name) for name in names if NAME.fullmatch(name)]


def find(lake: str, name: str) -> Pin:
    require_name(name, "a pin")
    known = [existing.name for existing in pins(lake)]
    if name not in known:
        raise UsageError(f"there is no pin {name}; there are: {', '.join(known) or 'none'}{did_you_mean(name, known)}")
    return _load(lake, name)


def release(lake: str, name: str) -> Pin:
    """Releases the version; its files stay until the table's retention has passed."""
    with keeping(lake, FOLDER):
        pinned = find(lake, name)
        system, path = locate(_file(lake, name))
        system.delete_file(path)
    return pinned


def verify(lake: str, name: str) -> Pin:
    """Read all rows of the pinned version and raise, naming the days, if they have changed."""
    pinned = find(lake, name)
    now = _open(lake, pinned.table, pinned.version)
    now.require_present()
    hashes = {part: _hash_of(now, part) for part in now.files}
    differing = [
        {"day": day, "pinned": pinned.days.get(day, "nothing"), "found": hashes.get(day, "nothing")}
        for day in sorted({*pinned.days, *hashes})
        if pinned.days.get(day) != hashes.get(day)
    ]
    if differing:
        raise ContractViolationError(
            f"pin {name}: {pinned.table} version {pinned.version} differs from what was pinned on "
            f"{', '.join(part['day'] or 'its only part' for part in differing)}. Its files were changed or damaged: "
            "restore them from a backup, or release the pin.",
            [dict(part) for part in differing],
        )
    if hash_parts(hashes) != pinned.hash:
        raise ContractViolationError(
            f"pin {name}: the rows are as they were pinned, but {_file(lake, name)} was edited; restore it, or release the pin"
        )
    return pinned


def rehash(lake: str, name: str, parts: Collection[str]) -> Pin:
    """Hash those parts anew, whose rows of an erased entity are gone. Another part that was damaged stays so."""
    with keeping(lake, FOLDER):
        pinned = find(lake, name)
        now = _open(lake, pinned.table, pinned.version)
        content = {part: now.content(part) for part in now.files}
        anew = {part: content[part].hexdigest() for part in parts if part in content and part in pinned.days}
        days = {**pinned.days, **anew}
        if days == pinned.days:
            return pinned
        rows = sum(each.rows for each in content.values())
        new = replace(pinned, rows=rows, days=days, hash=hash_parts(days), rehashed_at=_now())
        _write(lake, new)
    return new


def kept_versions(lake: str, table_path: str) -> list[int]:
    """Return the pinned versions of a table. Hold the table's lock while removing files based on them."""
    return sorted({pinned.version for pinned in pins(lake) if pinned.table == table_path})


def _write(lake: str, pinned: Pin) -> None:
    """A field that says nothing is left out, which a reader of before it would not know."""
    content = asdict(pinned)
    if not pinned.rehashed_at:
        del content["rehashed_at"]
    write_json(_file(lake, pinned.name), content)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _hash_of(table: TableSnapshot, part: str) -> str:
    try:
        return table.content(part).hexdigest()
    except UnreadableError as error:
        return f"unreadable: {error}"


def _pinned_before(lake: str, name: str, table_path: str, version: int) -> Pin | None:
    if not any(existing.name == name for existing in pins(lake)):
        return None
    before = _load(lake, name)
    if (before.table, before.version) != (table_path, version):
        raise UsageError(
            f"pin {name} is {before.table} version {before.version}, not {table_path} version {version}; "
            "a pin never moves to another version: choose another name, or release this pin"
        )
    return before


def _open(lake: str, table_path: str, version: int) -> TableSnapshot:
    whole = all(NAME.fullmatch(part) for part in table_path.split("/"))
    if not whole or not delta_log.exists(f"{lake}/{table_path}"):
        raise UsageError(f"{table_path!r} is not a table of {lake}; expected a path like published/name/v1")
    return snapshot.open_version(f"{lake}/{table_path}", version)


def _load(lake: str, name: str) -> Pin:
    content = read_json(_file(lake, name)) or {}
    try:
        return Pin(**content)
    except TypeError:
        raise PipelineError(
            f"{_file(lake, name)} can't be read as a pin; repair it, or delete it to release the pin"
        ) from None


def _file(lake: str, name: str) -> str:
    return f"{lake}/{FOLDER}/{name}.json"
