"""What libraries print when an object store is gone, is full or refuses, as one error that says what to do."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from common.errors import LakeNotWritableError, PipelineError, StorageUnreachableError, UsageError
from common.runtime.object_store import WHAT_TO_SET, is_refusal

_BEGINNING = "Error performing "
_QUOTED = "(Service: S3"
# How Arrow, deltalake with its object_store, and Hadoop name a store in an error.
_OF_A_STORE = ("AWS Error", "Generic S3 error", _BEGINNING, "hadoop.fs.s3a", "software.amazon.awssdk")
_SILENCE = (
    *("NETWORK_CONNECTION", "error sending request", "SdkClientException", "Connection refused", "Connection reset"),
    *("ConnectTimeoutException", "SocketTimeoutException", "operation timed out", "Unable to execute HTTP request"),
)
_FULL = (
    "StorageFull",
    "QuotaExceeded",
    "status 507",
    "status code: 507",
    "507 Insufficient Storage",
    "Status Code: 507",
)
# Colours, and the tags around what the store itself said.
_AROUND = re.compile(r"\x1b\[\d*m|↳|<[^>]*>")
LONGEST = 400
SAFE = "What was committed before is safe"
AGAIN = "run the same command again, and it continues where it stopped"


@contextmanager
def explaining() -> Iterator[None]:
    try:
        yield
    except Exception as error:
        if isinstance(error, StorageUnreachableError | UsageError) or not (explained := explanation(str(error))):
            raise
        for note in getattr(error, "__notes__", []):
            explained.add_note(note)
        raise explained from error


def explanation(message: str) -> PipelineError | None:
    """None if the message is about something else than a store that can't be used."""
    if not any(sign in message for sign in _OF_A_STORE):
        return None
    # A full store may answer with the status of one that refuses.
    if any(sign in message for sign in _FULL):
        return LakeNotWritableError(
            f"the object store is full: {_short(message)}. {SAFE}. Make room there, then {AGAIN}"
        )
    if is_refusal(message):
        return StorageUnreachableError(
            f"the object store refuses our credentials: {_short(message)}. {SAFE}. Let them list, read, write and delete "
            f"there, or set {WHAT_TO_SET}; then {AGAIN}"
        )
    if silent := next((line for line in message.splitlines() if any(sign in line for sign in _SILENCE)), ""):
        return StorageUnreachableError(
            f"the object store stopped answering: {_short(silent)}. {SAFE}. Once it answers, {AGAIN}"
        )
    return None


def _short(message: str) -> str:
    """From where the request is named, if it is; of Java's pages the line that the store is quoted in."""
    quoted = next((line for line in message.splitlines() if _QUOTED in line), message)
    text = " ".join(_AROUND.sub(" ", quoted).split())
    _, beginning, rest = text.partition(_BEGINNING)
    return (beginning + rest if rest else text)[:LONGEST]
