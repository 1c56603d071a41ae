"""Every published feature table: its features, its versions and how they differ, and who uses it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from itertools import pairwise
from typing import Any

from common.console.declared import feature_words
from common.console.grid import Facts, safe
from common.contracts.contract import Contract
from common.errors import PipelineError
from common.features.definition import differing_facts
from common.lake.pins import Pin
from common.online.connect import open_store
from common.orchestration import run_log
from common.published.catalog import FeatureTable, Lake, moment
from common.published.view import Version
from common.runtime.settings import Settings


def tables_of(lake: str) -> list[FeatureTable]:
    known = Lake(lake)
    return [known.features(name) for name in known.tables()]


def feature_facts(table: FeatureTable, before: FeatureTable | None, contract: Contract | None) -> Facts:
    """`before` is the table of the feature version before; `contract` is None for a dataset that is no longer declared."""
    versions = table.versions()
    newest = versions[0] if versions else None
    declared = contract and contract.features.version == table.number
    stored = [
        {"name": name, "type": column.get("type", ""), "words": column.get("words", "")}
        for name, column in (newest.books.get("columns") or {}).items()
    ] if newest else []  # fmt: skip
    return {
        "name": table.name,
        "dataset": table.dataset,
        "path": table.path,
        "entity": safe(newest.books.get("entity", "")) if newest else "",
        "current": bool(declared),
        "features": feature_words(contract) if contract and declared else safe(stored),
        "versions": publications(versions),
        "definitions": [*_definitions(versions)],
        "changes": _since(newest, before),
    }


def publications(versions: Sequence[Version]) -> list[list[Any]]:
    """Newest first: version, time, run, revision, days that are new, changed and the same, rows more or fewer, newest day."""
    seen: dict[str, dict[str, Any]] = {}
    found = []
    for version in reversed(versions):
        new = [ds for ds in version.days if ds not in seen]
        again = [ds for ds in version.days if ds in seen and _content(version.days[ds]) != _content(seen[ds])]
        more = sum(version.days[ds]["rows"] - seen[ds]["rows"] for ds in again)
        same = len(version.days) - len(new) - len(again)
        books = version.books
        about = [version.version, moment(version.at)[:16], str(books.get("run_id", ""))[:12]]
        revision = str(books.get("revision") or "")[:12]
        found.append([*about, revision, len(new), len(again), same, more, max(version.days), version.rows])
        seen |= version.days
    return found[::-1]


def _content(facts: Mapping[str, Any]) -> Any:
    """What tells whether the rows are others; the hash where the publication has one."""
    return facts.get("hash") or (facts.get("features_version"), facts.get("rows"))


def _definitions(versions: Sequence[Version]) -> Iterable[Facts]:
    """Where a publication has another definition than the one before it, which its feature version should forbid."""
    for later, earlier in pairwise(versions):
        if later.books.get("definition") != earlier.books.get("definition"):
            yield {"version": later.version, "changes": _differing(earlier.books, later.books)}


def _since(newest: Version | None, before: FeatureTable | None) -> Facts:
    """How the newest publication is defined otherwise than the feature version before it."""
    earlier = next(iter(before.versions()), None) if before else None
    if newest is None or earlier is None or before is None:
        return {}
    return {"of": before.name, "changes": _differing(earlier.books, newest.books)}


def _differing(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    known = all("entity" in books for books in (before, now))
    return safe(differing_facts(dict(before), dict(now))) if known else []


def uses(table: FeatureTable, manifests: Iterable[Mapping[str, Any]], pins: Iterable[Pin], settings: Settings) -> Facts:
    """The training sets, pins, deliveries and online view that were made from the table."""
    sets = [
        [str(manifest["name"]), manifest["version"], manifest["inputs"]["versions"][table.name]]
        for manifest in manifests
        if table.name in manifest["inputs"]["versions"]
    ]
    pinned = [[pin.name, pin.version, pin.pinned_at, pin.note] for pin in pins if pin.table == table.path]
    return {
        "training_sets": safe(sets),
        "pins": safe(pinned),
        "deliveries": [*_deliveries(table, settings)],
        "online": _online(table, settings.online),
    }


def _deliveries(table: FeatureTable, settings: Settings) -> Iterable[list[Any]]:
    """Each target that got days of the table: its name, how many days, the newest, when, and why its last run failed."""
    for target in sorted(settings.deliveries):
        job = f"deliver-{target}"
        for record in run_log.recent(settings.lake, table.dataset, job, 1):
            days = run_log.days_run(settings.lake, table.dataset, job)
            failure = (record.failure or {}).get("message", "")
            yield [target, len(days), str(days[-1]), record.at[:16], safe(failure)]


def _online(table: FeatureTable, address: str) -> Facts | None:
    """None where nothing was loaded, or where the store does not answer."""
    with suppress(PipelineError):
        facts = open_store(address).facts(table.plain_name)
        names = ("version", "published_at", "entities", "days")
        return {name: safe(facts[name]) for name in names if name in facts}
    return None
