"""Small files beside the tables, on any file system that a lake or a landing folder may use."""

from __future__ import annotations

import json
import uuid
from contextlib import suppress
from pathlib import Path
from typing import Any

from pyarrow import fs

from common.lake.storage.buckets import read_object
from common.lake.storage.reach import require_reachable
from common.runtime.object_store import SCHEME, arrow_file_system, canonical, is_object_store

LOOKS = 6


def locate(uri: str) -> tuple[fs.FileSystem, str]:
    if "://" not in uri:
        return fs.LocalFileSystem(), uri
    uri = canonical(uri)
    if not is_local(uri):
        require_reachable(uri)
    if is_object_store(uri):
        return arrow_file_system(), uri.removeprefix(SCHEME)
    located: tuple[fs.FileSystem, str] = fs.FileSystem.from_uri(uri)
    return located


def is_local(uri: str) -> bool:
    return "://" not in uri or uri.startswith("file://")


def local_path(uri: str) -> Path:
    return Path(uri.removeprefix("file://"))


def read_bytes(uri: str) -> bytes:
    """Python opens a small local file four times as fast as Arrow does, which asks a store twice for one object."""
    if is_local(uri):
        with open(uri.removeprefix("file://"), "rb") as file:  # noqa: PTH123
            return file.read()
    if is_object_store(uri):
        return read_object(uri)
    system, path = locate(uri)
    with system.open_input_stream(path) as stream:
        return bytes(stream.read())


def read_json(uri: str) -> dict[str, Any] | None:
    """Return the JSON object in the file, or None if it is missing or unreadable."""
    try:
        content = json.loads(read_bytes(uri))
    except (FileNotFoundError, NotADirectoryError, ValueError, RecursionError):
        return None
    return content if isinstance(content, dict) else None


def read_text(uri: str) -> str:
    """Return the text of the file; empty if it is missing."""
    try:
        return read_bytes(uri).decode(errors="replace")
    except FileNotFoundError:
        return ""


def write_json(uri: str, content: dict[str, Any]) -> None:
    write_text(uri, json.dumps(content, indent=1, default=str))


def write_text(uri: str, text: str, hidden: bool = False) -> None:
    """Readers see the old or the new content: an object appears whole, a local file is written aside and moved.

    `hidden`: aside under a name that begins with a dot, for folders whose other files somebody reads.
    """
    system, path = locate(uri)
    if is_object_store(uri):
        with system.open_output_stream(path) as stream:
            stream.write(text.encode())
        return
    folder, _, name = path.rpartition("/")
    system.create_dir(folder, recursive=True)
    aside = f"{folder}/{'.' * hidden}{name}.{uuid.uuid4().hex}.tmp"
    try:
        with system.open_output_stream(aside) as stream:
            stream.write(text.encode())
        system.move(aside, path)
    except OSError:
        with suppress(OSError):
            system.delete_file(aside)
        raise


def list_files(uri: str, recursive: bool = False) -> list[fs.FileInfo]:
    """The files of a folder, sorted by path; none if the folder does not exist."""
    infos = _look(uri, recursive)
    return sorted((info for info in infos if info.type == fs.FileType.File), key=lambda info: info.path)


def list_folders(uri: str) -> list[str]:
    """The names of a folder's subfolders; none if the folder does not exist."""
    return sorted(info.base_name for info in _look(uri) if info.type == fs.FileType.Directory)


def _look(uri: str, recursive: bool = False) -> list[fs.FileInfo]:
    """List a folder, retrying when it is created during the listing."""
    system, path = locate(uri)
    folder = fs.FileSelector(path, allow_not_found=True, recursive=recursive)
    for _ in range(LOOKS - 1):
        with suppress(FileNotFoundError):
            return list(system.get_file_info(folder))
    return list(system.get_file_info(folder))
