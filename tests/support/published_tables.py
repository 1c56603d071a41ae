"""Writes small published tables as the publish job does, and damages them as other programs might."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, write_deltalake

from common.lake import content_hash
from common.published.catalog import FeatureTable
from tests.support.tables_as_text import parse

Mode = Literal["append", "overwrite"]
SCHEMA = pa.schema(
    [
        ("ds", pa.date32()),
        ("user_id", pa.int64()),
        ("spend", pa.decimal128(22, 2)),
        ("mean", pa.float64()),
        ("favourite", pa.string()),
    ]
)
HOURLY = SCHEMA.set(0, pa.field("ds", pa.string()))
WORDS = {"spend": "sum of amount over the last 7 days", "mean": "mean of amount", "favourite": "most frequent category"}
VALIDATION = {"rules": 15, "passed": 14, "warnings": 1}


def rows_of(text: str, schema: pa.Schema = SCHEMA) -> pa.Table:
    """Typed rows; a column that isn't named is null, `?` is not a number."""
    found = parse(text)
    columns = []
    for field in schema:
        values = [row.get(field.name) for row in found]
        columns.append(pa.array(["nan" if each == "?" else each for each in values], pa.string()).cast(field.type))
    return pa.table(columns, schema=schema)


def publish(
    lake: Path,
    text: str,
    table: str = "purchases/v1",
    at: str = "",
    empty: str = "",
    mode: Mode = "overwrite",
    schema: pa.Schema = SCHEMA,
    **books: Any,
) -> int:
    """Replaces the text's days in the table in one commit, or appends to them; returns the version."""
    rows, uri = rows_of(text, schema), f"{lake}/published/{table}"
    days = sorted({str(day) for day in rows["ds"].to_pylist()} | ({empty} - {""}))
    facts = {day: _facts(rows, day) for day in days}
    said = {
        "job": "publish",
        "ds": days[0] if len(days) == 1 else f"{days[0]}..{days[-1]}",
        "run_id": "run of publish",
        "revision": "0ddba11",
        "lock": "c0ffee",
        "entity": "user_id",
        "definition": "feedbeef",
        "columns": {name: {"type": str(SCHEMA.field(name).type), "words": words} for name, words in WORDS.items()},
        "inputs": {"amount": "decimal(12,2)"},
        "transforms": {"measure": "def measure(rows):\n    return rows.withColumn('weekend', [red]1)"},
        "days": facts,
        **books,
    }
    return commit(uri, rows, days, said, at, mode)


def _facts(rows: pa.Table, day: str) -> dict[str, Any]:
    mine = rows.filter([str(each) == day for each in rows["ds"].to_pylist()])
    made = {"features_version": 7, "sources": {"processed/purchases": 4}, "validation": VALIDATION}
    made |= {"counts": {"events": 3, "features": mine.num_rows}}
    return {
        "rows": mine.num_rows,
        "hash": content_hash.hash_rows(mine, ["ds", "user_id"]),
        "run_id": "run of features",
        **made,
    }


def commit(
    uri: str, rows: pa.Table, days: list[str], books: dict[str, Any] | None, at: str = "", mode: Mode = "overwrite"
) -> int:
    metadata = {} if books is None else {"userMetadata": json.dumps(books)}
    replaces = mode == "overwrite" and DeltaTable.is_deltatable(uri)
    write_deltalake(
        uri,
        rows,
        mode=mode,
        predicate=f"ds IN ({', '.join(map(repr, days))})" if replaces else None,
        partition_by=["ds"],
        configuration={"delta.deletedFileRetentionDuration": "interval 400 days"},
        commit_properties=CommitProperties(custom_metadata=metadata),
    )
    version = DeltaTable(uri).version()
    if at:
        date_commit(uri, version, at)
    return version


def publish_rows(table: FeatureTable, rows: pa.Table, key: str) -> int:
    """Publishes the rows of a day as another run would, with the other facts of the newest publication."""
    newest, *_ = table.versions()
    (ds,) = {str(day) for day in rows["ds"].to_pylist()}
    facts = {"rows": rows.num_rows, "hash": content_hash.hash_rows(rows, ["ds", key])}
    days = {ds: {**next(iter(newest.days.values())), **facts}}
    return commit(table.uri, rows, [ds], {**newest.books, "ds": ds, "days": days})


def date_commit(uri: str, version: int, at: str) -> None:
    """Changes a commit's timestamp, not the times of its files."""
    log = Path(uri) / "_delta_log" / f"{version:020}.json"
    entries = [json.loads(line) for line in log.read_text().splitlines()]
    for entry in entries:
        if "commitInfo" in entry:
            moment = datetime.fromisoformat(at).replace(tzinfo=UTC)
            entry["commitInfo"]["timestamp"] = int(moment.timestamp() * 1000)
    log.write_text("\n".join(json.dumps(entry) for entry in entries))


def pack(lake: Path, table: str = "purchases/v1") -> int:
    found = DeltaTable(f"{lake}/published/{table}")
    signed = CommitProperties(
        custom_metadata={
            "userMetadata": json.dumps({"job": "compact", "ds": "2026-01-03", "days": {"2026-01-03": {"rows": 2}}})
        }
    )
    found.optimize.compact(commit_properties=signed)
    return found.version()


def vacuum(lake: Path, table: str = "purchases/v1", keep: list[int] | None = None) -> None:
    """Removes every file that no newer version needs."""
    DeltaTable(f"{lake}/published/{table}").vacuum(
        retention_hours=0, dry_run=False, enforce_retention_duration=False, full=True, keep_versions=keep
    )


def split_files(lake: Path, text: str, table: str = "purchases/v1") -> None:
    """Rewrites the rows as one file each, as another program might."""
    uri = f"{lake}/published/{table}"
    rows = rows_of(text)
    for number in range(rows.num_rows):
        write_deltalake(uri, rows.slice(number, 1), mode="append", partition_by=["ds"])
