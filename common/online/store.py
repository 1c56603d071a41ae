"""The online store: of each view the latest row of every entity, for a model that asks for one at a time.

A load writes a generation of its own, and one step makes it the one that readers see: they see the old rows or the new
ones, never both, and wait for nobody. Of two loads of one view at a time the one that began later counts.
"""

from __future__ import annotations

import importlib
import json
import os
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from typing import Any
from urllib.parse import unquote, urlsplit

import pyarrow as pa

from common.errors import BadArguments, Busy, NothingThere, PipelineError
from common.online.row_codec import Pair, Row, checked_name, decode, encode, newer

DEFAULT = "sqlite:///data/online.db"
FORMS = "sqlite:///path/online.db, redis://host:port/0 or postgresql://host:port/database"
EXAMPLES = 5
CHUNK = 10_000
# What the store itself says beside what a load was given.
OWN_FACTS = frozenset({"entity", "entities"})


class Store(ABC):
    """Where the rows are kept. A store may be used by several threads; open it after a fork."""

    def __init__(self, address: str) -> None:
        self.address = address

    def __repr__(self) -> str:
        return f"{type(self).__name__}({shown(self.address)})"

    def load(self, view: str, entity: str, batches: Iterable[pa.RecordBatch], facts: Mapping[str, Any]) -> int:
        """Replaces the view: of several rows of an entity the one of the latest `ds` counts. How many entities."""
        checked_name(view)
        taken = sorted(OWN_FACTS & facts.keys())
        if taken:
            raise BadArguments(f"facts {taken} are the store's own; give them other names")
        generation = self._begin(view)
        try:
            newest: dict[str, date | None] = {}
            for batch in batches:
                for start in range(0, batch.num_rows, CHUNK):
                    self._put(view, generation, list(newer(entity, batch.slice(start, CHUNK), newest).items()))
            self._publish(view, generation, encode({**facts, "entity": entity, "entities": len(newest)}))
        except BaseException:
            with suppress(Exception):
                self._remove_old(view, generation)
            raise
        with suppress(Exception):  # the rows are there; what is left over the next load removes
            self._remove_old(view, generation - 1)
        return len(newest)

    def get(self, view: str, key: Any) -> Row | None:
        """The row of that entity, None where there is none."""
        text = self._get(checked_name(view), encode(key))
        return None if text is None else decode(text)

    def facts(self, view: str) -> dict[str, Any]:
        """What the load said of itself, and `entity` and `entities`."""
        found: dict[str, Any] = decode(self._facts(checked_name(view)))
        return found

    def rows(self, view: str) -> Iterator[Row]:
        """Every row, of one generation."""
        return (decode(text) for _, text in self.texts(view))

    def texts(self, view: str) -> Iterator[Pair]:
        self.facts(view)
        return self._texts(view)

    def never_loaded(self, view: str) -> NothingThere:
        return NothingThere(
            f"the online store {shown(self.address)} has no view {view!r}: load it first, or check its name and ONLINE"
        )

    def overtaken(self, view: str) -> Busy:
        return Busy(
            f"another load of {view!r} began after this one and counts; run this one again if it has newer rows"
        )

    @abstractmethod
    def close(self) -> None: ...

    @abstractmethod
    def _begin(self, view: str) -> int:
        """Registers a generation, larger than those before; what earlier loads left behind is removed."""

    @abstractmethod
    def _put(self, view: str, generation: int, pairs: list[Pair]) -> None: ...

    @abstractmethod
    def _publish(self, view: str, generation: int, facts: str) -> None:
        """From now on readers see this generation."""

    @abstractmethod
    def _remove_old(self, view: str, newest: int) -> None:
        """The generations up to that one, except what readers see."""

    @abstractmethod
    def _get(self, view: str, key: str) -> str | None: ...

    @abstractmethod
    def _facts(self, view: str) -> str: ...

    @abstractmethod
    def _texts(self, view: str) -> Iterator[Pair]: ...


def open_store(address: str | None = None) -> Store:
    """The store at that address, else where ONLINE says; a path is from the project's folder."""
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
    raise BadArguments(f"the online store {shown(address)} is of no known kind; expected {FORMS}")


def shown(address: str) -> str:
    """The address without who logs in and how."""
    scheme, separator, rest = address.partition("://")
    place = rest.partition("?")[0].partition("#")[0].rpartition("@")[2]
    return f"{scheme}://{place}" if separator else "(no address)"


def library(name: str, install: str) -> Any:
    """A client library that only those need who use that kind of store."""
    try:
        return importlib.import_module(name)
    except ImportError:
        raise BadArguments(f"the online store needs a library that is not installed: pip install {install}") from None


def unreachable(address: str, error: Exception) -> PipelineError:
    said = str(error).strip().replace("\n", " ")
    with suppress(ValueError):
        for secret in {urlsplit(address).password or "", unquote(urlsplit(address).password or "")} - {""}:
            said = said.replace(secret, "***")
    return PipelineError(
        f"the online store {shown(address)} can't be reached ({said}); check that it runs, and the address in ONLINE"
    )


@dataclass(frozen=True)
class Difference:
    entity: Any
    what: str  # missing online, not offline, or differs
    columns: tuple[str, ...] = ()


@dataclass(frozen=True)
class Agreement:
    """How the online rows go with the latest offline ones; `total` is the entities of either side."""

    total: int
    agreeing: int
    examples: tuple[Difference, ...]

    @property
    def share(self) -> float:
        return self.agreeing / self.total if self.total else 1.0


def compare(store: Store, view: str, offline: Iterable[pa.RecordBatch]) -> Agreement:
    """Every online row against the latest row of its entity offline; examples name columns, never their values."""
    entity = store.facts(view)["entity"]
    newest: dict[str, date | None] = {}
    expected: dict[str, str] = {}
    for batch in offline:
        expected |= newer(entity, batch, newest)
    total, agreeing = 0, 0
    examples: list[Difference] = []
    for key, text in store.texts(view):
        total += 1
        wanted = expected.pop(key, None)
        columns = () if wanted in (None, text) else _differing(text, str(wanted))
        if wanted is not None and not columns:
            agreeing += 1
        elif len(examples) < EXAMPLES:
            examples.append(Difference(decode(key), "differs" if columns else "not offline", columns))
    examples += [Difference(decode(key), "missing online") for key in list(expected)[: EXAMPLES - len(examples)]]
    return Agreement(total + len(expected), agreeing, tuple(examples))


def _differing(one: str, other: str) -> tuple[str, ...]:
    """As text, so that a number that is none equals itself, and 1 is not 1.0."""
    rows = [{name: json.dumps(value) for name, value in json.loads(text).items()} for text in (one, other)]
    return tuple(sorted(name for name in rows[0].keys() | rows[1].keys() if rows[0].get(name) != rows[1].get(name)))
