"""The online store: of each view the latest row of every entity, for a model that asks for one at a time.

A load writes a generation of its own, and one step makes it the one that readers see: they see the old rows or the new
ones, never both, and wait for nobody. Of two loads of one view at a time the one that began later counts.
"""

from __future__ import annotations

import importlib
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from datetime import date
from typing import Any
from urllib.parse import unquote, urlsplit

import pyarrow as pa

from common.errors import LockedError, PipelineError, SourceMissingError, UsageError
from common.online.row_codec import Pair, Row, checked_name, decode, encode, newer

EXAMPLES = 5
CHUNK = 10_000
# What the store itself says beside what a load was given.
OWN_FACTS = frozenset({"entity", "entities"})


class Store(ABC):
    """Where the rows are kept. A store may be used by several threads; open it after a fork."""

    def __init__(self, address: str) -> None:
        self.address = address

    def __repr__(self) -> str:
        return f"{type(self).__name__}({without_credentials(self.address)})"

    def load(self, view: str, entity: str, batches: Iterable[pa.RecordBatch], facts: Mapping[str, Any]) -> int:
        """Replaces the view: of several rows of an entity the one of the latest `ds` counts. How many entities."""
        checked_name(view)
        taken = sorted(OWN_FACTS & facts.keys())
        if taken:
            raise UsageError(f"facts {taken} are the store's own; give them other names")
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

    def never_loaded(self, view: str) -> SourceMissingError:
        return SourceMissingError(
            f"the online store {without_credentials(self.address)} has no view {view!r}; "
            "load it with publish --online, or check the name and ONLINE"
        )

    def overtaken(self, view: str) -> LockedError:
        return LockedError(
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


def without_credentials(address: str) -> str:
    """The address without who logs in and how."""
    scheme, separator, rest = address.partition("://")
    place = rest.partition("?")[0].partition("#")[0].rpartition("@")[2]
    return f"{scheme}://{place}" if separator else "(no address)"


def client_library(name: str, install: str) -> Any:
    """A client library that only those need who use that kind of store."""
    try:
        return importlib.import_module(name)
    except ImportError:
        raise UsageError(f"the online store needs a library that is not installed: pip install {install}") from None


def unreachable(address: str, error: Exception) -> PipelineError:
    said = str(error).strip().replace("\n", " ")
    with suppress(ValueError):
        for secret in {urlsplit(address).password or "", unquote(urlsplit(address).password or "")} - {""}:
            said = said.replace(secret, "***")
    return PipelineError(
        f"the online store {without_credentials(address)} can't be reached ({said}); "
        "check that it runs, and the address in ONLINE"
    )
