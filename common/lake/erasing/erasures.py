"""Who was erased, as keyed hashes: `<lake>/erased/<dataset>/<hash>.json` says of one entity what was done, but not who it is.

Whoever has both the salt beside them and an id can tell whether that id was erased; nobody reads an id from a hash.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from typing import Any

from common.errors import PipelineError
from common.lake.storage.files import is_local, list_files, local_path, read_json, read_text, write_json, write_text
from common.lake.storage.locks import keeping
from common.runtime.private_files import close_to_others

FOLDER = "erased"
SALT = "salt"
BLOCK = hashlib.sha256().block_size


@dataclass(frozen=True)
class Erasures:
    """The erased entities of one dataset."""

    lake: str
    dataset: str

    @property
    def keys(self) -> frozenset[str]:
        names = [file.base_name for file in list_files(self._folder)]
        return frozenset(name.removesuffix(".json") for name in names if name.endswith(".json"))

    def key(self, entity: str) -> str:
        return hmac.new(self.secret, entity.encode(), hashlib.sha256).hexdigest()

    @property
    def secret(self) -> bytes:
        """The key of the hashes; raises if they have lost theirs, because whoever was erased would come back."""
        salt = read_text(self._salt)
        if not salt:
            raise PipelineError(
                f"{self._salt} is gone, without which the {len(self.keys)} erased entities of {self.dataset} can't be told from "
                "others, and would come back; expected the file that was written with the first of them. Nothing was "
                "read. Bring it back from a copy"
            )
        return hashlib.sha256(f"{salt.strip()} {self.dataset}".encode()).digest()

    def prepare(self) -> None:
        """Make the salt, once a lake."""
        with keeping(self.lake, FOLDER):
            if not read_text(self._salt) and not self.keys:
                write_text(self._salt, secrets.token_hex(32))
                if is_local(self.lake):
                    close_to_others(local_path(self._salt))

    @property
    def has_salt(self) -> bool:
        return bool(read_text(self._salt))

    def told(self, key: str) -> dict[str, Any]:
        return read_json(self._file(key)) or {}

    def keep(self, key: str, told: dict[str, Any]) -> str:
        """From now on, no row of that entity comes in. Returns the file."""
        write_json(self._file(key), told)
        return self._file(key)

    @property
    def _folder(self) -> str:
        return f"{self.lake}/{FOLDER}/{self.dataset}"

    @property
    def _salt(self) -> str:
        return f"{self.lake}/{FOLDER}/{SALT}"

    def _file(self, key: str) -> str:
        return f"{self._folder}/{key}.json"


def pads(secret: bytes) -> tuple[bytes, bytes]:
    """The inner and the outer key of HMAC, for whoever computes it from plain hashes."""
    filled = secret.ljust(BLOCK, b"\0")
    return bytes(byte ^ 0x36 for byte in filled), bytes(byte ^ 0x5C for byte in filled)
