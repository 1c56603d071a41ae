"""Database servers of the tests, each with a way to run SQL in it and its address as a source."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import psycopg
import pytest

from tests.support.mariadb import mariadb, run_sql
from tests.support.postgres import NotHereError, postgres


@dataclass(frozen=True)
class Database:
    kind: str
    address: str
    run: Callable[[str], object]


@contextmanager
def database(kind: str) -> Iterator[Database]:
    """Skips the test where the server is not installed."""
    try:
        with postgres() if kind == "postgresql" else mariadb() as started:
            if isinstance(started, tuple):
                address, place = started
                yield Database(kind, f"mysql://{address}", lambda sql: run_sql(place, sql))
            else:
                with psycopg.connect(f"postgresql://{started}", autocommit=True) as connection:
                    yield Database(kind, f"postgresql://{started}", connection.execute)
    except NotHereError as error:
        pytest.skip(str(error))
