"""Exchange data files in every version of a table: each version stays readable, and holds the new file for the old one.

Delta never changes a commit, and nothing here does but this. Each step leaves every version with the old file or with the new
one, never with both or none: first, whoever removes the old file removes the new one too; then, whoever adds the old one adds
the new one instead. So it may be killed anywhere, and run again.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.parquet as pq

from common.lake.log.delta_log import USER_METADATA
from common.lake.storage.files import is_local, list_files, locate, read_text, write_text

Action = dict[str, Any]
Actions = list[Action]


@dataclass(frozen=True)
class ReplacedFile:
    """A data file and the one in its place; both paths within the table's folder, as on storage."""

    old: str
    new: str
    bytes: int
    stats: dict[str, Any]

    @property
    def old_name(self) -> str:
        return self.old.rpartition("/")[2]

    def added(self, action: Action) -> Action:
        parsed = {"stats_parsed": None} if "stats_parsed" in action else {}
        return {
            **action,
            "path": self.beside(action["path"]),
            "size": self.bytes,
            "stats": json.dumps(self.stats),
            **parsed,
        }

    def removed(self, action: Action) -> Action:
        return {**without_stats(action), "path": self.beside(action["path"]), "size": self.bytes}

    def beside(self, path: str) -> str:
        """The new path, for the old one as the log spells it."""
        folder, slash, _ = path.rpartition("/")
        return f"{folder}{slash}{self.new.rpartition('/')[2]}"


def without_stats(action: Action) -> Action:
    return {**action, **{name: None for name in ("stats", "stats_parsed") if action.get(name) is not None}}


def exchange(uri: str, replaced: Mapping[str, ReplacedFile]) -> None:
    """By path of the old file."""
    names = {file.old_name for file in replaced.values()}
    for step in (_remove_both, _add_new):
        for name in _documents(uri):
            rewrite_actions(f"{uri}/_delta_log/{name}", names, partial(step, replaced=replaced))
    for path in _checkpoints(uri):
        _rewrite_checkpoint(path, uri, partial(_in_checkpoint, replaced))
    _forget_checksums(uri)


def drop_statistics(uri: str, told: Callable[[str], bool]) -> int:
    """Remove statistics that give it away, also for files long gone. Returns how many files of the log were rewritten."""

    def dropped(action: Action) -> Action:
        kind = next((kind for kind in ("add", "remove") if (action.get(kind) or {}).get("stats")), "")
        return {kind: without_stats(action[kind])} if kind and told(action[kind]["stats"]) else action

    names = [f"{uri}/_delta_log/{name}" for name in _documents(uri)]
    rewritten = [rewrite_actions(name, {"stats"}, lambda actions: [*map(dropped, actions)]) for name in names]
    changed = [
        _rewrite_checkpoint(path, uri, lambda kind, action: dropped({kind: action})[kind]) for path in _checkpoints(uri)
    ]
    return sum(rewritten) + sum(changed)


def _remove_both(actions: Actions, replaced: Mapping[str, ReplacedFile]) -> Actions:
    """But the commit that has exchanged the files itself, as the newest did."""
    added = {unquote(action["add"]["path"]) for action in actions if "add" in action}
    after: Actions = []
    for action in actions:
        file = _replaced(action, "remove", replaced)
        if file is None:
            after.append(action)
            continue
        after.append({"remove": without_stats(action["remove"])})
        after += [] if file.new in added else [{"remove": file.removed(action["remove"])}]
    return after


def _add_new(actions: Actions, replaced: Mapping[str, ReplacedFile]) -> Actions:
    files = ((action, _replaced(action, "add", replaced)) for action in actions)
    return [action if file is None else {"add": file.added(action["add"])} for action, file in files]


def _replaced(action: Action, kind: str, replaced: Mapping[str, ReplacedFile]) -> ReplacedFile | None:
    return replaced.get(unquote(action[kind]["path"])) if action.get(kind) else None


def rewrite_commits(uri: str, change: Callable[[int, Action], Action]) -> None:
    """Change what commits say about themselves; `change` takes the version and what the run wrote."""
    for name in _documents(uri):
        number = name.removesuffix(".json")
        if number.isdecimal():
            rewrite_actions(f"{uri}/_delta_log/{name}", {USER_METADATA}, partial(_resay, partial(change, int(number))))


def _resay(change: Callable[[Action], Action], actions: Actions) -> Actions:
    after: Actions = []
    for action in actions:
        info = action.get("commitInfo") or {}
        if text := info.get(USER_METADATA):
            before = json.loads(text)
            said = change(before)
            info = info if said == before else {**info, USER_METADATA: json.dumps(said, default=str)}
        after.append({**action, "commitInfo": info} if info else action)
    return after


def rewrite_actions(uri: str, holding: set[str], change: Callable[[Actions], Actions]) -> bool:
    """Rewrite one file of a log if it holds one of the texts; write nothing if no action changes. Returns whether it did."""
    text = read_text(uri)
    if not any(word in text for word in holding):
        return False
    before = [json.loads(line) for line in text.splitlines()]
    after = change(before)
    if after != before:
        # A second time, the same actions are there already.
        lines = dict.fromkeys(json.dumps(action, separators=(",", ":")) for action in after)
        write_text(uri, "".join(f"{line}\n" for line in lines))
        forget_checksum(uri)
    return after != before


def _documents(uri: str) -> Iterator[str]:
    for file in list_files(f"{uri}/_delta_log"):
        if file.base_name.endswith(".json"):
            yield file.base_name


def _checkpoints(uri: str) -> Iterator[str]:
    for file in list_files(f"{uri}/_delta_log", recursive=True):
        if file.base_name.endswith(".parquet"):
            yield file.path


def _rewrite_checkpoint(path: str, uri: str, change: Callable[[str, Action], Action]) -> bool:
    system, _ = locate(uri)
    with system.open_input_file(path) as file:
        stored = pq.ParquetFile(file).read()
    changed = stored
    for name in {"add", "remove"} & {*stored.column_names}:
        place = stored.column_names.index(name)
        actions = stored.column(place).to_pylist()
        rewritten = [action and change(name, action) for action in actions]
        if rewritten != actions:
            column = pa.array(rewritten, stored.schema.field(place).type)
            changed = changed.set_column(place, stored.schema.field(place), column)
    if changed is not stored:
        write_parquet_aside(changed, system, path)
    return changed is not stored


def _in_checkpoint(replaced: Mapping[str, ReplacedFile], kind: str, action: Action) -> Action:
    file = _replaced({kind: action}, kind, replaced)
    if file is None:
        return action
    return file.added(action) if kind == "add" else file.removed(action)


def write_parquet_aside(rows: pa.Table, system: Any, path: str) -> int:
    """Readers see the old file or the new one. Returns its size."""
    if system.type_name != "local":
        pq.write_table(rows, path, filesystem=system)
        return int(system.get_file_info(path).size)
    aside = f"{path}.{uuid.uuid4().hex}.tmp"
    with system.open_output_stream(aside) as stream:
        pq.write_table(rows, stream)
    system.move(aside, path)
    forget_checksum(path)
    return int(system.get_file_info(path).size)


def forget_checksum(path: str) -> None:
    """Hadoop keeps the checksum of a local file beside it, and refuses the file if it has changed since."""
    if is_local(path):
        folder, _, name = path.rpartition("/")
        system, place = locate(f"{folder}/.{name}.crc")
        with suppress(FileNotFoundError):
            system.delete_file(place)


def _forget_checksums(uri: str) -> None:
    """Spark's summaries of a version, which may list its files; it makes do without them."""
    system, _ = locate(uri)
    for file in list_files(f"{uri}/_delta_log"):
        if file.base_name.endswith(".crc"):
            system.delete_file(file.path)
