"""Whether a remote address answers, asked once and within bounded time."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from urllib.parse import urlsplit

from common.errors import PipelineError, StorageUnreachableError, UsageError
from common.runtime.object_store import is_object_store, require_bucket

WAIT_SECONDS = 20.0
ASK_AGAIN_SECONDS = 60.0
MALFORMED = 2
# Except on S3, Arrow waits minutes for a silent server, and again when the process ends; only a process of its
# own can be stopped.
_LOOK = f"""
import sys
import pyarrow
from pyarrow import fs
try:
    system, path = fs.FileSystem.from_uri(sys.stdin.read())
    system.get_file_info(path)
except pyarrow.ArrowInvalid as error:
    print(error)
    sys.exit({MALFORMED})
except Exception as error:
    print(error)
    sys.exit(1)
"""
_one_look = threading.Lock()
# When this process asked each host, and what was wrong with it.
answers: dict[str, tuple[float, PipelineError | None]] = {}


def require_reachable(uri: str) -> None:
    """Raise UsageError if no file system can be at this address, and StorageUnreachableError if none answers there."""
    host = "{0.scheme}://{0.netloc}".format(urlsplit(uri))
    with _one_look:
        at, problem = answers.get(host, (0.0, None))
        if host not in answers or (problem and time.monotonic() - at > ASK_AGAIN_SECONDS):
            problem = _look(uri, host)
            answers[host] = (time.monotonic(), problem)
    if problem:
        raise problem


def _look(uri: str, host: str) -> PipelineError | None:
    return _look_in_bucket(uri, host) if is_object_store(uri) else _look_elsewhere(uri, host)


def _look_in_bucket(uri: str, host: str) -> PipelineError | None:
    try:
        require_bucket(uri, WAIT_SECONDS)
    except UsageError as error:
        return error
    except OSError as error:
        silent = "Timeout was reached" in str(error)
        return _unreachable(host, f"no answer within {WAIT_SECONDS:g} s" if silent else str(error))
    return None


def _look_elsewhere(uri: str, host: str) -> PipelineError | None:
    try:
        done = subprocess.run(
            [sys.executable, "-c", _LOOK], input=uri, capture_output=True, text=True, check=False, timeout=WAIT_SECONDS
        )
    except subprocess.TimeoutExpired:
        return _unreachable(host, f"no answer within {WAIT_SECONDS:g} s")
    said = " ".join(done.stdout.split()) or done.stderr.strip().rpartition("\n")[2]
    if done.returncode == MALFORMED:
        return UsageError(f"{uri!r} is malformed: {said}. Expected an address such as s3://bucket/path")
    return _unreachable(host, said) if done.returncode else None


def _unreachable(host: str, why: str) -> StorageUnreachableError:
    return StorageUnreachableError(
        f"{host} can't be reached: {why}. Nothing was changed. Check the address, the network and the credentials, then run "
        "again"
    )
