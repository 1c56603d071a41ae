"""What the command `features` is asked, and what it answers."""

from __future__ import annotations

import argparse
from collections.abc import Sized
from dataclasses import asdict
from typing import Any

from common.days import parse_days
from common.lake import pins
from common.published.catalog import FeatureTable, Lake, moment
from common.published.view import Selection, Version, View
from common.reader.output import Output, grid


def list_tables(lake: Lake, given: argparse.Namespace) -> Output:
    found = [_summary(lake.features(name)) for name in lake.tables()]
    if not found:
        return Output({"tables": []}, [f"Nothing is published in {lake.uri} yet."])
    names = ["table", "version", "from", "to", "rows of the last day", "published at"]
    return Output({"tables": found}, [grid(names, [list(each.values()) for each in found])])


def _summary(table: FeatureTable) -> dict[str, Any]:
    view = table.at()
    newest = next(iter(view.publications), None)
    days = view.days()
    return {
        "table": table.name,
        "version": newest and newest.version,
        "first_day": days[0] if days else None,
        "last_day": days[-1] if days else None,
        "rows": view.published.get(str(days[-1]), {}).get("rows") if days else None,
        "published_at": newest and moment(newest.at),
    }


def log(lake: Lake, given: argparse.Namespace) -> Output:
    table = lake.features(given.table)
    versions = table.versions()
    facts = {
        "table": table.name,
        "versions": [{"version": each.version, "at": moment(each.at), **each.books} for each in versions],
    }
    if given.long:
        return Output(facts, [part for each in versions for part in _long(each)])
    names = ["version", "published at", "ds", "rows", "run", "code", "validation"]
    return Output(facts, [grid(names, [_line(each) for each in versions])])


def _line(version: Version) -> list[Any]:
    books = version.books
    return [
        version.version,
        moment(version.at),
        books.get("ds"),
        version.rows,
        str(books.get("run_id", ""))[:12],
        str(books.get("revision") or books.get("code") or "")[:12],
        _validation(version),
    ]


def _validation(version: Version) -> str:
    """How many rules passed, of all days together."""
    found = [each.get("validation") or {} for each in version.days.values()]
    rules, passed, warned = (sum(each.get(name) or 0 for each in found) for name in ("rules", "passed", "warnings"))
    return f"{passed}/{rules}" + (f", {warned} warned" if warned else "")


def _long(version: Version) -> list[Any]:
    books = version.books
    columns = [[name, each.get("type"), each.get("words")] for name, each in (books.get("columns") or {}).items()]
    days = [
        [
            day,
            each["rows"],
            each.get("features_version"),
            str(each.get("run_id") or "")[:12],
            sources_of(each),
            " ".join(f"{name}={count}" for name, count in (each.get("counts") or {}).items()),
            each.get("hash"),
        ]
        for day, each in sorted(version.days.items())
    ]
    head = (
        f"version {version.version}, {moment(version.at)}, run {books.get('run_id')}, revision {books.get('revision')}, "
        f"lock {books.get('lock')}"
    )
    made = f"definition {books.get('definition')}, by {books.get('entity')}, validation {_validation(version)}"
    return [
        f"{head}\n{made}",
        grid(["column", "type", "words"], columns),
        grid(["ds", "rows", "features version", "run", "sources", "counts", "hash"], days),
        grid(["input", "what it is"], [[*each] for each in (books.get("inputs") or {}).items()]),
        *(books.get("transforms") or {}).values(),
        "",
    ]


def sources_of(facts: dict[str, Any]) -> str:
    return " ".join(f"{path}@{version}" for path, version in (facts.get("sources") or {}).items())


def show(lake: Lake, given: argparse.Namespace) -> Output:
    view = view_of(lake, given)
    chosen = _chosen(given)
    if given.entity:
        chosen["entities"] = given.entity
    elif "ds" not in chosen:
        chosen["ds"] = view.chosen()[-1]
    if given.columns:
        chosen["columns"] = list(dict.fromkeys(["ds", view.entity, *given.columns.split(",")]))
    rows = view.arrow(**chosen)
    first = rows.slice(0, given.limit).to_pylist()
    facts = {**named(view), "rows": first, "of": rows.num_rows}
    said = grid(rows.column_names, [list(row.values()) for row in first])
    return Output(facts, [said, f"{len(first):,} of {rows.num_rows:,} rows, {said_of(view)}"])


def get(lake: Lake, given: argparse.Namespace) -> Output:
    from common.published.export import export_rows

    view = view_of(lake, given)
    found = export_rows(view, given.out, _chosen(given))
    warnings = [
        f"{view.table} version {view.version}: the rows of {day} are not those that were published; "
        "somebody else wrote to the table since"
        for day in found.changed
    ]
    said = f"{given.out}: {found.rows:,} rows of {_days(found.days)}, {said_of(view)}\nhash {found.hash}"
    return Output({**named(view), "out": str(given.out), **asdict(found)}, [said], warnings)


def diff(lake: Lake, given: argparse.Namespace) -> Output:
    from common.published.version_diff import compare_versions

    table = lake.features(given.table)
    before, after = table.at(version=given.before), table.at(version=given.after)
    found = compare_versions(before, after, parse_days(given.ds, long_range=True) if given.ds else None)
    counts = {"added": found.added, "removed": found.removed, "changed": found.changed}
    head = f"{table.name} version {before.version} -> {after.version}: "
    said: list[Any] = [head + ", ".join(f"{count:,} rows {what}" for what, count in counts.items())]
    said += [f"days with other files: {', '.join(map(str, found.days)) or 'none'}"]
    for what, names in (("new", found.new_columns), ("gone", found.gone_columns), ("of another type", found.retyped)):
        said += [f"columns {what}: {', '.join(names)}"] if names else []
    if found.columns:
        said += [
            "",
            grid(
                ["column", "changed rows"],
                [[*each] for each in sorted(found.columns.items(), key=lambda each: -each[1])],
            ),
        ]
    if found.largest:
        rows = [[each.entity, each.ds, each.column, each.before, each.after] for each in found.largest]
        said += ["", grid([after.entity, "ds", "column", "before", "after"], rows)]
    return Output({"table": table.name, "before": before.version, "after": after.version, **asdict(found)}, said)


def pin(lake: Lake, given: argparse.Namespace) -> Output:
    table = lake.features(given.table)
    version = view_of(lake, given).version
    return _pinned(pins.pin(lake.uri, given.name, table.path, version, given.note), "is kept")


def list_pins(lake: Lake, given: argparse.Namespace) -> Output:
    found = pins.pins(lake.uri)
    if not found:
        return Output({"pins": []}, [f"Nothing is pinned in {lake.uri}."])
    names = ["name", "table", "version", "days", "rows", "pinned at", "note"]
    rows = [
        [each.name, each.table, each.version, len(each.days), each.rows, each.pinned_at, each.note] for each in found
    ]
    return Output({"pins": [asdict(each) for each in found]}, [grid(names, rows)])


def release(lake: Lake, given: argparse.Namespace) -> Output:
    return _pinned(pins.release(lake.uri, given.name), "is released")


def verify(lake: Lake, given: argparse.Namespace) -> Output:
    return _pinned(pins.verify(lake.uri, given.name), "is what it was")


def _pinned(found: pins.Pin, what: str) -> Output:
    said = f"{found.name} {what}: {found.table} version {found.version}, {found.rows:,} rows of {_days(found.days)}"
    return Output(asdict(found), [f"{said}\nhash {found.hash}"])


def view_of(lake: Lake, given: argparse.Namespace) -> View:
    return lake.features(given.table).at(version=given.version, as_of=given.as_of, pin=given.pin)


def _chosen(given: argparse.Namespace) -> Selection:
    return {"ds": given.ds} if given.ds else {}


def named(view: View) -> dict[str, Any]:
    newest = view.publications[0]
    return {
        "table": view.table,
        "version": view.version,
        "publication": newest.version,
        "published_at": moment(newest.at),
    }


def said_of(view: View) -> str:
    newest = view.publications[0]
    packed = "" if newest.version == view.version else f" as version {newest.version}"
    return f"{view.table} version {view.version}, published{packed} {moment(newest.at)}"


def _days(found: Sized) -> str:
    return f"{len(found)} day{'s' * (len(found) != 1)}"
