"""The online store keeps the latest row of every entity per view, for models that look up one entity at a time.

A load writes a new generation and then switches readers to it in one step: they see the old rows or the new ones, never
a mixture, and never wait. If two loads of one view run at a time, the one that began later wins, unless the other has
already loaded a newer version of the same table: a view never goes back.
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
# Facts that the store adds to those that the caller of a load passes.
OWN_FACTS = frozenset({"entity", "entities"})


class Store(ABC):
    """The interface of all online stores. Threads may share a store; after a fork, open a new one."""

    def __init__(self, address: str) -> None:
        self.address = address

    def __repr__(self) -> str:
        return f"{type(self).__name__}({without_credentials(self.address)})"

    def load(self, view: str, entity: str, batches: Iterable[pa.RecordBatch], facts: Mapping[str, Any]) -> int:
        """Replace the view with each entity's row of the latest `ds`; return the number of entities."""
        checked_name(view)
        reserved = sorted(OWN_FACTS & facts.keys())
        if reserved:
            raise UsageError(f"facts {reserved} are the store's own; use other names")
        with suppress(SourceMissingError):
            self.require_newer(view, self.facts(view), facts)
        generation = self.begin(view)
        try:
            newest: dict[str, date | None] = {}
            for batch in batches:
                for start in range(0, batch.num_rows, CHUNK):
                    self.put(view, generation, list(newer(entity, batch.slice(start, CHUNK), newest).items()))
            self.publish(view, generation, encode({**facts, "entity": entity, "entities": len(newest)}))
        except BaseException:
            with suppress(Exception):
                self._remove_old(view, generation)
            raise
        with suppress(Exception):  # the load has succeeded; the next one removes what is left
            self._remove_old(view, generation - 1)
        return len(newest)

    def get(self, view: str, key: Any) -> Row | None:
        """Return the row of the entity, or None."""
        text = self._get(checked_name(view), encode(key))
        return None if text is None else decode(text)

    def holds(self, view: str, key: Any) -> bool:
        """Whether the view was loaded, and serves the entity."""
        try:
            return self.get(view, key) is not None
        except SourceMissingError:
            return False

    def erase(self, view: str, key: Any) -> int:
        """Remove the entity from every generation of the view, and count it out; return how many rows went."""
        try:
            facts = self.facts(view)
        except SourceMissingError:
            return 0
        shown = self.get(view, key) is not None
        fewer = encode({**facts, "entities": facts["entities"] - shown}) if shown and "entities" in facts else None
        return self._erase(view, encode(key), fewer)

    def facts(self, view: str) -> dict[str, Any]:
        """Return the facts that were passed to the load, with `entity` and `entities`."""
        facts: dict[str, Any] = decode(self._facts(checked_name(view)))
        return facts

    def rows(self, view: str) -> Iterator[Row]:
        """Return all rows of one generation."""
        return (decode(text) for _, text in self.texts(view))

    def texts(self, view: str) -> Iterator[Pair]:
        self.facts(view)
        return self._texts(view)

    def never_loaded(self, view: str) -> SourceMissingError:
        return SourceMissingError(
            f"the online store {without_credentials(self.address)} has no view {view!r}; "
            "load it with publish --online, or check the name and the address in ONLINE"
        )

    def overtaken(self, view: str) -> LockedError:
        return LockedError(
            f"another load of {view!r} began after this one and replaces it; run this one again if its rows are newer"
        )

    def require_newer(self, view: str, loaded: Mapping[str, Any], facts: Mapping[str, Any]) -> None:
        """Raise if the view holds a newer version of the same table; the table's id tells whether it was made anew."""
        known = loaded.get("table_id") is not None and loaded.get("table_id") == facts.get("table_id")
        if known and loaded["version"] > facts["version"]:
            raise LockedError(
                f"{view!r} holds version {loaded['version']} of its table, but this load is of version {facts['version']}; "
                "expected the same version or a newer one. Nothing was replaced. Run it again: it loads the newest "
                "publication. To go back, publish the earlier rows again."
            )

    @abstractmethod
    def close(self) -> None: ...

    @abstractmethod
    def begin(self, view: str) -> int:
        """Register a generation with the next larger number and remove what earlier loads left behind."""

    @abstractmethod
    def put(self, view: str, generation: int, pairs: list[Pair]) -> None: ...

    @abstractmethod
    def publish(self, view: str, generation: int, facts: str) -> None:
        """Switch readers to this generation, unless they see a newer version; the check and the switch are one step."""

    @abstractmethod
    def _remove_old(self, view: str, newest: int) -> None:
        """Remove all generations up to `newest`, except the one that readers see."""

    @abstractmethod
    def _erase(self, view: str, key: str, facts: str | None) -> int:
        """Also change the facts, if there are any to change."""

    @abstractmethod
    def _get(self, view: str, key: str) -> str | None: ...

    @abstractmethod
    def _facts(self, view: str) -> str: ...

    @abstractmethod
    def _texts(self, view: str) -> Iterator[Pair]: ...


def without_credentials(address: str) -> str:
    """Return the address without user, password and options."""
    scheme, separator, rest = address.partition("://")
    place = rest.partition("?")[0].partition("#")[0].rpartition("@")[2]
    return f"{scheme}://{place}" if separator else "(no address)"


def client_library(name: str, install: str) -> Any:
    """Import a client library that only users of this kind of store need."""
    try:
        return importlib.import_module(name)
    except ImportError:
        raise UsageError(f"the online store needs a library that is not installed: pip install {install}") from None


def unreachable(address: str, error: Exception) -> PipelineError:
    message = str(error).strip().replace("\n", " ")
    with suppress(ValueError):
        for secret in {urlsplit(address).password or "", unquote(urlsplit(address).password or "")} - {""}:
            message = message.replace(secret, "***")
    return PipelineError(
        f"the online store {without_credentials(address)} can't be reached ({message}); "
        "check that it is running and that ONLINE has the right address"
    )
