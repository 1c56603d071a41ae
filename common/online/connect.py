"""Open the online store at an address."""

from __future__ import annotations

import os

from common.errors import UsageError
from common.online.store import Store, without_credentials

DEFAULT = "sqlite:///data/online.db"
FORMS = "sqlite:///path/online.db, redis://host:port/0 or postgresql://host:port/database"


def open_store(address: str | None = None) -> Store:
    """Open the store at the address, by default the one in ONLINE. SQLite paths are relative to the project's folder."""
    address = address or os.environ.get("ONLINE") or DEFAULT
    scheme = address.partition("://")[0]
    if scheme == "sqlite" and address.startswith("sqlite:///"):
        from common.online.sql import SqliteStore

        return SqliteStore(address)
    if scheme in ("redis", "rediss"):
        from common.online.redis import RedisStore

        return RedisStore(address)
    if scheme in ("postgresql", "postgres"):
        from common.online.postgres import PostgresStore

        return PostgresStore(address)
    raise UsageError(f"the online store {without_credentials(address)} is of an unknown kind; expected {FORMS}")
