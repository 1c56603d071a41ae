"""How to connect to a MongoDB database, and what its errors mean."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any

from common.errors import PipelineError, SourceUnreachableError, UsageError
from common.sources.credentials import from_environment

if TYPE_CHECKING:
    from pymongo import MongoClient
    from pymongo.database import Database

FORM = "mongodb://user:password@host:27017/database, special characters in user and password escaped as in %40"
LOGIN = (8000, 18)
RIGHTS = (13,)
# A cursor, or the server that had it, is gone.
GONE = (43, 91, 189, 237, 11600, 11602, 13435, 13436, 10107, 17405)
# The part of Spark's error that pymongo raised.
_RAISED = re.compile(r"(?:pymongo|bson)\.errors\.(\w+): (.*)")
_CODE = re.compile(r"'code': (\d+)")
DOCUMENTS_A_BATCH = 5_000


@dataclass(frozen=True)
class MongoAddress:
    """Where a database is; executors get it whole, as they may lack the driver's environment."""

    variable: str  # the environment variable that holds it
    uri: str = field(repr=False)  # the user and the password in it
    timeout_seconds: int

    def connect(self) -> MongoClient[dict[str, Any]]:
        from bson.codec_options import DatetimeConversion
        from pymongo import MongoClient
        from pymongo.errors import ConfigurationError, InvalidURI

        seconds = self.timeout_seconds * 1000
        try:
            return MongoClient(
                self.uri,
                tz_aware=True,
                uuidRepresentation="standard",
                datetime_conversion=DatetimeConversion.DATETIME_AUTO,
                serverSelectionTimeoutMS=min(10_000, seconds),
                connectTimeoutMS=min(10_000, seconds),
                socketTimeoutMS=seconds,
                appname="ingest",
            )
        # Its text may quote a part of the address.
        except (InvalidURI, ConfigurationError, ValueError, TypeError):
            raise UsageError(f"{self.variable} is not the address of a MongoDB; expected {FORM}") from None

    @contextmanager
    def database(self) -> Iterator[Database[dict[str, Any]]]:
        from pymongo.errors import ConfigurationError, PyMongoError

        with self.connect() as client:
            try:
                yield client.get_default_database()
            except ConfigurationError:
                raise UsageError(f"{self.variable} names no database; expected {FORM}") from None
            except PyMongoError as error:
                raise self.explained(type(error).__name__, str(error)) from None

    def documents(self, collection: str, where: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        """All of them; while one batch is worked on, the server already sends the next."""
        with self.connect() as client, ThreadPoolExecutor(1) as ahead:
            found = client.get_default_database()[collection].find(where, batch_size=DOCUMENTS_A_BATCH)
            coming = ahead.submit(_batch, found)
            while batch := coming.result():
                coming = ahead.submit(_batch, found)
                yield from batch

    def raised(self, text: str) -> PipelineError | None:
        """The last error of pymongo in the text of another one, while documents are read: the login was taken before."""
        found = list(_RAISED.finditer(text))
        if not found:
            return None
        error = self.explained(found[-1][1], found[-1][2])
        if _code(found[-1][2]) not in LOGIN:
            return error
        return SourceUnreachableError(
            f"MongoDB refuses the login of {self.variable}, which it took before; it has expired. Nothing was written; run again."
        )

    def explained(self, name: str, message: str) -> PipelineError:
        """The error of pymongo, with what to do about it."""
        from pymongo import errors

        number = _code(message)
        said = " ".join(message.partition(", full error")[0].split())[:300]
        if number in LOGIN:
            return UsageError(
                f"MongoDB refuses the login: {said}. Correct {self.variable}, or the file that {self.variable}_FILE names."
            )
        if number in RIGHTS:
            return UsageError(f"MongoDB refuses to answer: {said}. Give the user of {self.variable} the right to read.")
        if number in GONE or issubclass(getattr(errors, name, Exception), errors.ConnectionFailure):
            return SourceUnreachableError(f"MongoDB stopped answering: {said}. Nothing was written; run again later.")
        return PipelineError(f"MongoDB failed: {said}")


def _batch(found: Iterator[dict[str, Any]]) -> list[dict[str, Any]]:
    return list(islice(found, DOCUMENTS_A_BATCH))


def _code(message: str) -> int:
    found = _CODE.search(message)
    return int(found[1]) if found else 0


def mongo_address(database: str, timeout_seconds: int) -> MongoAddress:
    """The address in the environment variable of the database, or in the file that another one names."""
    variable = f"{database.upper()}_DATABASE"
    uri = from_environment(variable, FORM)
    if not uri.startswith(("mongodb://", "mongodb+srv://")):
        raise UsageError(f"{variable} is not the address of a MongoDB; expected {FORM}")
    return MongoAddress(variable, uri, timeout_seconds)
