"""Check a path or URI from a flag, the environment or conf before anything uses it."""

from __future__ import annotations

import re
import stat
from argparse import ArgumentTypeError
from pathlib import Path
from urllib.parse import urlsplit

from common.errors import UsageError
from common.printable import is_text
from common.runtime.object_store import canonical

REMOTE = ("s3", "s3a", "abfs", "abfss", "hdfs")
FORMS = "a folder, or a URI such as file:///path or s3://bucket/path"
_HOST = re.compile(r"[a-z0-9]([a-z0-9._-]*[a-z0-9])?|[0-9a-f.]*:[0-9a-f:.]*")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):(//)?(.*)", re.DOTALL)


def resolve(name: str, uri: str, base: Path) -> str:
    """Return the URI, or the absolute path that starts from `base`; raise if neither can be a folder."""
    uri = canonical(uri.strip())
    if not uri or "\0" in uri:
        raise _refused(name, uri, "names nothing")
    if _CONTROL.search(uri):
        raise _refused(name, uri, "holds control characters, which no table can have in its path")
    if not is_text(uri):
        raise _refused(name, uri, "holds bytes that are not UTF-8")
    scheme = _SCHEME.fullmatch(uri)
    if scheme:
        _require_supported(name, uri, *scheme.groups(""))
    if scheme and scheme[1] != "file":
        return uri
    path = Path(scheme[3]) if scheme else base / _expanded(name, uri)
    _require_folder(name, uri, path)
    return uri if scheme else str(path)


def out_folder(text: str) -> Path:
    """The type of --out: a folder on this machine, which may not be there yet."""
    if _SCHEME.fullmatch(text) or not text.strip():
        raise ArgumentTypeError(f"{text!r} is no folder of this machine")
    return Path.cwd() / resolve("--out", text, Path.cwd())


def out_file(text: str) -> Path:
    """The type of --out: a file on this machine, which may not be there yet."""
    if _SCHEME.fullmatch(text) or not text.strip() or (place := Path.cwd() / _expanded("--out", text)).is_dir():
        raise ArgumentTypeError(f"{text!r} is no file of this machine")
    return place


def require_present(name: str, uri: str) -> None:
    """Raise unless a file or a Delta table can be at this path or URI."""
    scheme = _SCHEME.fullmatch(uri)
    if scheme:
        _require_supported(name, uri, *scheme.groups(""))
    elif not uri or not _exists(_expanded(name, uri)):
        raise UsageError(f"{name} {uri!r} is not there; expected a file, or a Delta table's folder")


def _exists(path: Path) -> bool:
    try:
        path.stat()
    except (OSError, ValueError):
        return False
    return True


def _require_supported(name: str, uri: str, scheme: str, slashes: str, rest: str) -> None:
    if scheme not in (*REMOTE, "file") or not slashes:
        known = ", ".join(f"{each}://" for each in ("file", *REMOTE))
        raise _refused(
            name, uri, f"is of a kind that is not supported (supported: {known}; for a folder, write ./{uri})"
        )
    if scheme == "file" and not rest.startswith("/"):
        raise _refused(name, uri, "has no absolute path after file://")
    if scheme != "file" and rest[:1] in ("", "/"):
        raise _refused(name, uri, "names no bucket or host")
    if scheme != "file" and ("?" in rest or "#" in rest):
        raise _refused(name, uri, "has a ? or #, and so can't be a folder")
    if scheme != "file" and not _is_host(uri):
        raise _refused(name, uri, "has a bucket, host or port that is not possible")


def _is_host(uri: str) -> bool:
    try:
        parts = urlsplit(uri)
        return parts.port != 0 and bool(_HOST.fullmatch(parts.hostname or ""))
    except ValueError:
        return False


def _expanded(name: str, uri: str) -> Path:
    try:
        return Path(uri).expanduser()
    except RuntimeError:
        raise _refused(name, uri, "names the home folder of an unknown user") from None


def _require_folder(name: str, uri: str, path: Path) -> None:
    try:
        is_folder = stat.S_ISDIR(path.stat().st_mode)
    except FileNotFoundError:
        return
    except OSError as error:
        raise _refused(name, uri, f"can't be used ({error.strerror})") from None
    if not is_folder:
        raise _refused(name, uri, "is a file")


def _refused(name: str, uri: str, problem: str) -> UsageError:
    return UsageError(f"{name} {uri!r} {problem}; expected {FORMS}")
