"""The commands of `features` that read, compare and pin published tables."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sized
from dataclasses import asdict
from typing import Any

from common.days import parse_days
from common.lake import pins
from common.printable import printable
from common.published.catalog import FeatureTable, Lake, moment
from common.published.view import Selection, Version, View
from common.reader.output import Output, grid


def list_tables(lake: Lake, arguments: argparse.Namespace) -> Output:
    tables = [_summary(lake.features(name)) for name in lake.tables()]
    if not tables:
        return Output({"tables": []}, [f"Nothing is published in {printable(lake.uri)} yet."])
    names = ["table", "version", "from", "to", "rows of the last day", "published at"]
    return Output({"tables": tables}, [grid(names, [list(table.values()) for table in tables])])


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


def log(lake: Lake, arguments: argparse.Namespace) -> Output:
    table = lake.features(arguments.table)
    versions = table.versions()
    facts = {
        "table": table.name,
        "versions": [{"version": version.version, "at": moment(version.at), **version.books} for version in versions],
    }
    if arguments.long:
        return Output(facts, [part for version in versions for part in _long(version)])
    names = ["version", "published at", "ds", "rows", "run", "code", "validation", "left out"]
    return Output(facts, [grid(names, [_line(version) for version in versions])])


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
        " ".join(sorted({day for facts in version.days.values() for day in facts.get("left_out", [])})),
    ]


def _validation(version: Version) -> str:
    """Return how many rules passed, over all days of the version."""
    validations = [day.get("validation") or {} for day in version.days.values()]
    rules, passed, warned = (
        sum(validation.get(name) or 0 for validation in validations) for name in ("rules", "passed", "warnings")
    )
    return f"{passed}/{rules}" + (f", {warned} warned" if warned else "")


def _long(version: Version) -> list[Any]:
    books = version.books
    columns = [[name, column.get("type"), column.get("words")] for name, column in (books.get("columns") or {}).items()]
    days = [
        [
            day,
            facts["rows"],
            facts.get("features_version"),
            str(facts.get("run_id") or "")[:12],
            sources_of(facts),
            " ".join(f"{name}={count}" for name, count in (facts.get("counts") or {}).items()),
            " ".join(facts.get("left_out", [])),
            facts.get("hash"),
        ]
        for day, facts in sorted(version.days.items())
    ]
    head = (
        f"version {version.version}, {moment(version.at)}, run {books.get('run_id')}, revision {books.get('revision')}, "
        f"lock {books.get('lock')}"
    )
    definition = f"definition {books.get('definition')}, by {books.get('entity')}, validation {_validation(version)}"
    return [
        f"{head}\n{definition}",
        grid(["column", "type", "words"], columns),
        grid(["ds", "rows", "features version", "run", "sources", "counts", "left out", "hash"], days),
        grid(["input", "what it is"], [list(item) for item in (books.get("inputs") or {}).items()]),
        *(books.get("transforms") or {}).values(),
        "",
    ]


def sources_of(facts: dict[str, Any]) -> str:
    return " ".join(f"{path}@{version}" for path, version in (facts.get("sources") or {}).items())


def show(lake: Lake, arguments: argparse.Namespace) -> Output:
    view = view_of(lake, arguments)
    selection = _selection(arguments)
    if arguments.entity:
        selection["entities"] = arguments.entity
    elif "ds" not in selection:
        selection["ds"] = view.chosen()[-1]
    if arguments.columns:
        selection["columns"] = list(dict.fromkeys(["ds", view.entity, *arguments.columns.split(",")]))
    rows = view.arrow(**selection)
    first = rows.slice(0, arguments.limit).to_pylist()
    facts = {**identity(view), "rows": first, "of": rows.num_rows}
    table = grid(rows.column_names, [list(row.values()) for row in first])
    return Output(facts, [table, f"{len(first):,} of {rows.num_rows:,} rows, {description(view)}"])


def get(lake: Lake, arguments: argparse.Namespace) -> Output:
    from common.published.export import export_rows

    view = view_of(lake, arguments)
    exported = export_rows(view, arguments.out, _selection(arguments), guard=not arguments.keep_formulas)
    warnings = [
        f"{view.table} version {view.version}: the rows of {day} are not those that were published; "
        "another program has written to the table since; restore the published version or publish the day again"
        for day in exported.changed
    ]
    text = (
        f"{arguments.out}: {exported.rows:,} rows of {_days(exported.days)}, {description(view)}\nhash {exported.hash}"
    )
    return Output({**identity(view), "out": str(arguments.out), **asdict(exported)}, [text], warnings)


def diff(lake: Lake, arguments: argparse.Namespace) -> Output:
    from common.published.version_diff import compare_versions

    table = lake.features(arguments.table)
    before, after = table.at(version=arguments.before), table.at(version=arguments.after)
    changes = compare_versions(before, after, parse_days(arguments.ds, True, after.every) if arguments.ds else None)
    counts = {"added": changes.added, "removed": changes.removed, "changed": changes.changed}
    head = f"{table.name} version {before.version} -> {after.version}: "
    parts: list[Any] = [head + ", ".join(f"{count:,} rows {change}" for change, count in counts.items())]
    parts += [f"days with other files: {', '.join(map(str, changes.days)) or 'none'}"]
    column_changes = (
        ("new", changes.new_columns),
        ("gone", changes.gone_columns),
        ("of another type", changes.retyped),
    )
    for change, names in column_changes:
        parts += [f"columns {change}: {', '.join(names)}"] if names else []
    if changes.columns:
        parts += [
            "",
            grid(
                ["column", "changed rows"],
                [list(item) for item in sorted(changes.columns.items(), key=lambda item: -item[1])],
            ),
        ]
    if changes.largest:
        rows = [[value.entity, value.ds, value.column, value.before, value.after] for value in changes.largest]
        parts += ["", grid([after.entity, "ds", "column", "before", "after"], rows)]
    return Output({"table": table.name, "before": before.version, "after": after.version, **asdict(changes)}, parts)


def pin(lake: Lake, arguments: argparse.Namespace) -> Output:
    table = lake.features(arguments.table)
    version = view_of(lake, arguments).version
    return _pinned(pins.pin(lake.uri, arguments.name, table.path, version, arguments.note), "is pinned")


def list_pins(lake: Lake, arguments: argparse.Namespace) -> Output:
    kept = pins.pins(lake.uri)
    if not kept:
        return Output({"pins": []}, [f"Nothing is pinned in {lake.uri}."])
    names = ["name", "table", "version", "days", "rows", "pinned at", "note"]
    rows = [[pin.name, pin.table, pin.version, len(pin.days), pin.rows, pin.pinned_at, _note(pin)] for pin in kept]
    return Output({"pins": [asdict(pin) for pin in kept]}, [grid(names, rows)])


def _note(pin: pins.Pin) -> str:
    erased = f"an entity was erased from it, and it was hashed anew {pin.rehashed_at}" if pin.rehashed_at else ""
    return "; ".join(filter(None, (pin.note, erased)))


def release(lake: Lake, arguments: argparse.Namespace) -> Output:
    return _pinned(pins.release(lake.uri, arguments.name), "is released")


def verify(lake: Lake, arguments: argparse.Namespace) -> Output:
    return _pinned(pins.verify(lake.uri, arguments.name), "is unchanged")


def _pinned(pin: pins.Pin, outcome: str) -> Output:
    text = f"{pin.name} {outcome}: {pin.table} version {pin.version}, {pin.rows:,} rows of {_days(pin.days)}"
    return Output(asdict(pin), [f"{text}\nhash {pin.hash}"])


def schema(lake: Lake, arguments: argparse.Namespace) -> Output:
    from common.reader.shapes import schema_of

    facts = schema_of(arguments.of)
    return Output(facts, [json.dumps(facts, indent=2)])


def view_of(lake: Lake, arguments: argparse.Namespace) -> View:
    return lake.features(arguments.table).at(version=arguments.version, as_of=arguments.as_of, pin=arguments.pin)


def _selection(arguments: argparse.Namespace) -> Selection:
    return {"ds": arguments.ds} if arguments.ds else {}


def identity(view: View) -> dict[str, Any]:
    newest = view.publications[0]
    return {
        "table": view.table,
        "version": view.version,
        "publication": newest.version,
        "published_at": moment(newest.at),
    }


def description(view: View) -> str:
    newest = view.publications[0]
    packed = "" if newest.version == view.version else f" as version {newest.version}"
    return f"{view.table} version {view.version}, published{packed} {moment(newest.at)}"


def _days(days: Sized) -> str:
    return f"{len(days)} day{'s' * (len(days) != 1)}"
