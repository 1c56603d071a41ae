"""What Arrow's file systems cannot do on an object store: writes with a condition, and listings that start in the middle."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Self

from common.errors import StorageUnreachableError
from common.lake.storage.reach import require_reachable
from common.lake.storage.store_errors import explanation
from common.runtime.object_store import canonical, obstore_of

if TYPE_CHECKING:
    from obstore.store import S3Store


@dataclass(frozen=True)
class StoredObject:
    content: bytes
    tag: str  # changes with the content
    changed: datetime


@dataclass(frozen=True)
class Bucket:
    store: S3Store
    prefix: str  # of the lake in it; empty, or with a slash at its end

    @classmethod
    def of(cls, uri: str) -> Self:
        require_reachable(canonical(uri))
        _, _, rest = uri.partition("://")
        name, _, path = rest.partition("/")
        return cls(obstore_of(name), f"{path.strip('/')}/" if path.strip("/") else "")

    def put_if_absent(self, key: str, content: bytes) -> str:
        """The tag of the new object; empty if there is one already."""
        from obstore.exceptions import AlreadyExistsError

        with _clear():
            try:
                return str(self.store.put(key, content, mode="create")["e_tag"])
            except AlreadyExistsError:
                return ""

    def put_if_same(self, key: str, content: bytes, tag: str) -> str:
        """The tag of the new content; empty if somebody has changed or removed the object."""
        from obstore.exceptions import PreconditionError

        with _clear():
            try:
                return str(self.store.put(key, content, mode={"e_tag": tag})["e_tag"])
            except (PreconditionError, FileNotFoundError):
                return ""

    def look(self, key: str) -> StoredObject | None:
        with _clear():
            try:
                found = self.store.get(key)
            except FileNotFoundError:
                return None
            return StoredObject(bytes(found.bytes()), str(found.meta["e_tag"]), found.meta["last_modified"])

    def list_after(self, folder: str, name: str) -> list[tuple[str, int, datetime]]:
        """Path, size and time of change of what follows that name in the folder, sorted by name."""
        with _clear():
            listed = self.store.list(folder, offset=f"{folder}/{name}")
            return [(each["path"], each["size"], each["last_modified"]) for batch in listed for each in batch]

    def delete(self, key: str) -> None:
        with _clear():
            self.store.delete(key)


def read_object(uri: str) -> bytes:
    """In one request; raises FileNotFoundError if it is not there."""
    bucket = Bucket.of(uri)
    found = bucket.look(bucket.prefix.rstrip("/"))
    if found is None:
        raise FileNotFoundError(uri)
    return found.content


@contextmanager
def _clear() -> Iterator[None]:
    """The library's errors fill pages."""
    from obstore.exceptions import BaseError

    try:
        yield
    except BaseError as error:
        message = str(error)
        raise explanation(message) or StorageUnreachableError(
            f"the object store can't be used: {message.splitlines()[0]}; run again later"
        ) from None
