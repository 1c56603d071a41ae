"""Erase one entity of a dataset: look where it is, take it out of every place, and prove that no file holds it any more."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from common.erasure import proof, rehash
from common.erasure.outside import Outside
from common.erasure.person import Person
from common.erasure.places import Places
from common.errors import ContractViolationError, SourceMissingError
from common.lake import linked_copy
from common.lake.erasing import history, row_erasure
from common.lake.erasing.erasures import Erasures
from common.lake.erasing.history import forget_checksum
from common.lake.erasing.row_erasure import HoldingFile
from common.lake.log import delta_log
from common.lake.storage.files import locate, read_text, write_text
from common.lake.storage.locks import committing, erasing, keeping
from common.published.catalog import FOLDER as PUBLISHED
from common.runtime.run import Run

BEYOND_REACH = (
    "landing files, and other sources: they belong to whoever sends them; what comes again of this entity is counted as erased",
    "backups, and copies of the lake",
    "files that `features get` wrote: only who wrote them knows where they are",
    "what a training set's steps, or a model, learned from the rows: build the set again, and train anew",
    "statistics over many entities: counts, profiles, metrics",
)


@dataclass
class Found:
    """Where the entity is: what an erasure would change."""

    tables: dict[str, list[HoldingFile]] = field(default_factory=dict)
    texts: list[str] = field(default_factory=list)
    exports: list[str] = field(default_factory=list)
    views: list[str] = field(default_factory=list)
    delivered: list[Path] = field(default_factory=list)
    warehouse_rows: int = 0

    @property
    def counts(self) -> dict[str, int]:
        files = [file for found in self.tables.values() for file in found]
        return {
            "tables": len(self.tables),
            "files": len(files),
            "rows": sum(file.rows for file in files),
            "exports": len(self.exports),
            "texts": len(self.texts),
            "online": len(self.views),
            "delivered": len(self.delivered),
            "warehouse_rows": self.warehouse_rows,
        }

    def __bool__(self) -> bool:
        return any(self.counts.values())


@dataclass(frozen=True)
class Erasure:
    run: Run
    person: Person

    @property
    def places(self) -> Places:
        return Places(self.run.settings.lake, self.run.contract.name)

    @property
    def outside(self) -> Outside:
        return Outside(self.run, self.person)

    @property
    def erasures(self) -> Erasures:
        return Erasures(self.run.settings.lake, self.run.contract.name)

    def look(self) -> Found:
        """Reads everything, and changes nothing."""
        lake, outside = self.places.lake, self.outside
        tables = {path: row_erasure.holding_files(f"{lake}/{path}", self.person) for path in self.places.tables()}
        held = (path for path in self.places.exports() if self._export_holds(f"{lake}/{path}"))
        return Found(
            {path: found for path, found in tables.items() if found},
            [path for path in self.places.texts() if self._scrubbed(path) is not None],
            [*held],
            outside.online(),
            outside.delivered(),
            outside.in_warehouses(),
        )

    def versions(self, found: Found) -> dict[str, int]:
        """The current versions of the tables that rows were removed from."""
        return {path: delta_log.version(f"{self.places.lake}/{path}") for path in found.tables}

    def is_known(self) -> bool:
        """Whether the entity was erased before, or its erasure was begun."""
        return self.erasures.has_salt and self.erasures.key(self.person.text) in self.erasures.keys

    def require_found(self, found: Found) -> None:
        if not found and not self.is_known():
            raise SourceMissingError(
                f"no table, export, text or online store of {self.run.contract.name} in {self.places.lake} holds that "
                f"{self.person.column.name}; expected at least one row. Nothing was touched. Check how it is written, and "
                "--dataset"
            )

    def apply(self, found: Found) -> dict[str, Any]:
        """Erase one place after another, so that the next run finds whatever a kill has left. Returns the report."""
        lake, dataset = self.places.lake, self.run.contract.name
        with erasing(lake, dataset, self.run.settings.lock_wait_seconds):
            self.erasures.prepare()
            key = self.erasures.key(self.person.text)
            # Before anything else: from now on, ingest drops its rows.
            told = {**self._begun(), **self.erasures.told(key)}
            self.erasures.keep(key, told)
            changed = self._erase()
            searched = proof.search(self.places, self.person)
            searched.found += self.outside.left()
            report = {
                **told,
                "finished": _now(),
                "removed": _added(told.get("removed", {}), found.counts),
                **{name: sorted({*told.get(name, []), *changed[name]}) for name in changed},
                "searched": searched.facts,
                "out_of_reach": [*BEYOND_REACH],
            }
            place = self.erasures.keep(key, report)
        self._require_gone(searched)
        return {**report, "report": place}

    def _erase(self) -> dict[str, list[str]]:
        """Returns the pins and the training sets that held such rows."""
        lake = self.places.lake
        linked_copy.drop_all(lake, self.places.dataset)
        for path in [*self.places.asides()]:
            self._remove(path)
        pinned = [name for path in self.places.tables() for name in self._from_table(path)]
        sets = [home for home in self.places.training_sets() if rehash.training_set(self.places, home)]
        for path in self.places.exports():
            rehash.export(f"{lake}/{path}", self.person)
        for path in [*self.places.texts()]:
            self._scrub(path)
        self.outside.erase_online()
        for folder in self.outside.delivered():
            self.outside.deliver_again(folder)
        self.outside.in_warehouses(remove=True)
        return {"pins": pinned, "training_sets": sets}

    def _require_gone(self, searched: proof.Search) -> None:
        if searched.found:
            raise ContractViolationError(
                f"{len(searched.found)} places still hold the entity, with {searched.files} files searched; expected none: rows "
                "of others that name it, or a run that was at work meanwhile. Run it again once no run is at work; what "
                f"remains then has to be mended by hand. First: {searched.found[0]['file']}",
                searched.found,
            )

    def _from_table(self, path: str) -> list[str]:
        """Returns the pins that held such rows."""
        lake, uri = self.places.lake, f"{self.places.lake}/{path}"
        with keeping(lake, path), committing(lake, path):
            history.drop_statistics(uri, self.person.in_statistics)
            found = row_erasure.holding_files(uri, self.person)
            if not found:
                return []
            self.run.log.info("%s: %d rows in %d files", path, sum(file.rows for file in found), len(found))
            replaced = row_erasure.erase_rows(self.run, uri, self.person, found)
            parts = {file.part for file in found}
            if path.startswith(f"{PUBLISHED}/"):
                rehash.publications(uri, parts)
        pinned = rehash.pins_of(lake, path, parts)
        # The old files go last: while they exist, the next run knows that this one did not finish.
        row_erasure.remove_old(uri, replaced)
        return pinned

    def _export_holds(self, uri: str) -> bool:
        rows = row_erasure.read_parquet(uri, self.person)
        return rows is not None and True in self.person.mask(rows).to_pylist()

    def _scrubbed(self, path: str) -> str | None:
        """The text without the entity; None if it does not hold it."""
        before = read_text(f"{self.places.lake}/{path}")
        after = self._without(path, before)
        return after if after != before else None

    def _without(self, path: str, text: str) -> str:
        if path.endswith(".jsonl"):
            return "".join(self._json(line, line) + "\n" for line in text.splitlines())
        return (
            self._json(text, self.person.scrubbed_text(text))
            if path.endswith(".json")
            else self.person.scrubbed_text(text)
        )

    def _json(self, text: str, otherwise: str) -> str:
        try:
            value = json.loads(text)
        except ValueError:
            return self.person.scrubbed_text(otherwise)
        scrubbed = self.person.scrubbed(value)
        return text if scrubbed == value else json.dumps(scrubbed, indent=None if "\n" not in text else 1)

    def _scrub(self, path: str) -> None:
        after, uri = self._scrubbed(path), f"{self.places.lake}/{path}"
        if after is None:
            return
        if path.startswith(".pages/"):  # of an API, kept for a day at most: they are asked for again
            self._remove(path)
            return
        write_text(uri, after)
        forget_checksum(uri)

    def _remove(self, path: str) -> None:
        system, place = locate(f"{self.places.lake}/{path}")
        with suppress(FileNotFoundError):
            system.delete_file(place)

    def _begun(self) -> dict[str, Any]:
        about = {"dataset": self.run.contract.name, "column": self.person.column.name, "begun": _now()}
        return {**about, "run_id": self.run.run_id}


def shown(found: Found) -> dict[str, Any]:
    """What a dry run reports, by table."""
    return {
        path: {"files": len(files), "rows": sum(file.rows for file in files)} for path, files in found.tables.items()
    }


def _added(before: dict[str, int], more: dict[str, int]) -> dict[str, int]:
    return {name: before.get(name, 0) + count for name, count in more.items()}


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
