"""Write the rows of a version to a file, a day at a time; the file appears only when it is complete."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import types

from common.errors import LakeNotWritableError, UsageError
from common.lake.content_hash import ContentHash, hash_parts
from common.published.view import Selection, View

FORMATS = (".parquet", ".csv", ".arrow")
# How a text starts that a spreadsheet takes for a formula.
FORMULA = r"\A([=+\-@\t\r\n＝＋－＠])"


@dataclass(frozen=True)
class Exported:
    rows: int
    hash: str
    days: dict[str, str]
    # Days whose rows differ from the publication: another writer changed the table since.
    changed: list[str] = field(default_factory=list)


def export_rows(view: View, out: Path, chosen: Selection, guard: bool = True) -> Exported:
    """Write all columns of the chosen days. Equal rows give an equal file, whatever the layout of the table.

    With `guard`, no text in a CSV is a formula for a spreadsheet: one that looks like it gets a ' in front.
    """
    schema = view.stored.schema.with_metadata({"table": view.table, "version": str(view.version)})
    parts = ((str(day), rows) for day, rows in view.by_day(**chosen))
    exported = write_parts(parts, out, schema, guard)
    changed = [day for day, hash_ in exported.days.items() if view.published.get(day, {}).get("hash") != hash_]
    return replace(exported, changed=changed)


def write_parts(parts: Iterator[tuple[str, pa.Table]], out: Path, schema: pa.Schema, guard: bool = True) -> Exported:
    if out.suffix not in FORMATS:
        raise UsageError(f"--out {out} ends in {out.suffix!r}; expected one of {', '.join(FORMATS)}")
    first = next(parts)  # raise on missing days before creating a file
    rows, days = 0, {}
    with _aside(out) as path, _writer(path, out.suffix, schema) as writer:
        for day, table in chain([first], parts):
            typed = table.cast(schema)
            writer.write_table(without_formulas(typed) if guard and out.suffix == ".csv" else typed)
            content = ContentHash(schema)
            content.add(table)
            rows, days[day] = rows + table.num_rows, content.hexdigest()
    return Exported(rows, hash_parts(days), days)


def without_formulas(table: pa.Table) -> pa.Table:
    texts = [
        place
        for place, field in enumerate(table.schema)
        if types.is_string(field.type) or types.is_large_string(field.type)
    ]
    for place in texts:
        guarded = pc.replace_substring_regex(table.column(place), FORMULA, r"'\1")
        table = table.set_column(place, table.schema.field(place), guarded)
    return table


@contextmanager
def _aside(out: Path) -> Iterator[Path]:
    aside = out.with_name(f"{out.name}.{uuid.uuid4().hex}.tmp")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        yield aside
        aside.replace(out)
    except OSError as error:
        raise LakeNotWritableError(
            f"--out {out} can't be written: {error}. An existing file was left as it was; choose another path"
        ) from error
    finally:
        with suppress(OSError):
            aside.unlink(missing_ok=True)


def _writer(path: Path, suffix: str, schema: pa.Schema) -> Any:
    if suffix == ".parquet":
        from pyarrow.parquet import ParquetWriter

        return ParquetWriter(path, schema, compression="zstd")
    if suffix == ".arrow":
        return pa.ipc.new_file(path, schema)
    from pyarrow.csv import CSVWriter

    nested = [field.name for field in schema if types.is_nested(field.type)]
    if nested:
        raise UsageError(f"a .csv can't hold {', '.join(nested)} (lists or structs); choose .parquet or .arrow")
    return CSVWriter(path, schema)
