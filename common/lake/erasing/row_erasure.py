"""Take rows out of a table for good: out of its newest version by a commit, and out of all older ones by their history."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from deltalake import DeltaTable
from deltalake.transaction import AddAction, RemoveAction
from pyarrow import types

from common.errors import PipelineError
from common.lake.erasing import history
from common.lake.erasing.history import ReplacedFile, forget_checksum, write_parquet_aside
from common.lake.log import data_files, delta_log
from common.lake.log.commit_metadata import arrow_commit
from common.lake.storage.files import list_files, locate

if TYPE_CHECKING:
    from common.runtime.run import Run

NAMED = "erased-"
STATISTICS = "delta.dataSkippingStatsColumns"


class Drops(Protocol):
    """Says which rows go."""

    def needs(self, names: Sequence[str]) -> list[str]:
        """The columns that tell; none if no row of such a file can go."""

    def mask(self, rows: pa.Table) -> pa.Array:
        """For each row, whether it goes."""


@dataclass(frozen=True)
class HoldingFile:
    """A data file with rows that go, live or of an older version."""

    path: str  # within the table's folder
    rows: int  # that go

    @property
    def part(self) -> str:
        """Its partition, as a pin names it."""
        folders = self.path.split("/")[:-1]
        return "/".join(unquote(folder.partition("=")[2]) for folder in folders)


def holding_files(uri: str, drops: Drops) -> list[HoldingFile]:
    """Every data file on storage that holds such rows, whatever version it belongs to."""
    found = ((path, _rows_that_go(uri, path, drops)) for path in _data_paths(uri))
    return [HoldingFile(path, rows) for path, rows in found if rows]


def _data_paths(uri: str) -> Iterator[str]:
    _, root = locate(uri)
    for file in list_files(uri, recursive=True):
        path = file.path.removeprefix(root.rstrip("/") + "/")
        if path.endswith(".parquet") and not path.startswith("_delta_log/"):
            yield path


def _rows_that_go(uri: str, path: str, drops: Drops) -> int:
    rows = read_parquet(f"{uri}/{path}", drops)
    return 0 if rows is None else int(pc.sum(drops.mask(rows)).as_py() or 0)


def read_parquet(uri: str, drops: Drops | None = None) -> pa.Table | None:
    """The file; with `drops` only the columns that tell, or None if it has none of them."""
    system, path = locate(uri)
    try:
        with system.open_input_file(path) as stream:
            file = pq.ParquetFile(stream, coerce_int96_timestamp_unit="us")
            names = None if drops is None else drops.needs(file.schema_arrow.names)
            return None if names == [] else with_plain_texts(file.read(columns=names))
    except pa.ArrowInvalid as error:
        raise PipelineError(
            f"{uri} can't be read ({error}), so whose rows it holds is not known; expected a Parquet file. Bring it back from a "
            "copy, or remove it if no version needs it; then run this again"
        ) from error


def with_plain_texts(rows: pa.Table) -> pa.Table:
    """deltalake writes texts in a form that Arrow can't compare."""
    return rows.cast(pa.schema([field.with_type(_plain(field.type)) for field in rows.schema], rows.schema.metadata))


def _plain(type_: pa.DataType) -> pa.DataType:
    if types.is_string_view(type_):
        return pa.string()
    if types.is_list_view(type_) or types.is_list(type_) or types.is_large_list(type_):
        return pa.list_(type_.value_field.with_type(_plain(type_.value_type)))
    if types.is_struct(type_):
        return pa.struct([field.with_type(_plain(field.type)) for field in type_])
    return type_


def erase_rows(run: Run, uri: str, drops: Drops, found: Sequence[HoldingFile]) -> dict[str, ReplacedFile]:
    """Put files without those rows into every version. The old files stay until `remove_old`; hold the table's locks."""
    table = delta_log.open_table(uri)
    assert table is not None
    old = OldFiles(uri, table)
    replaced = {each.path: old.without_rows(each.path, drops) for each in found}
    _commit(run, old, replaced, sum(each.rows for each in found))
    history.exchange(uri, replaced)
    data_files.forget()
    return replaced


def remove_old(uri: str, replaced: Mapping[str, ReplacedFile]) -> None:
    system, root = locate(uri)
    for path in replaced:
        with suppress(FileNotFoundError):
            system.delete_file(f"{root}/{path}")
        forget_checksum(f"{uri}/{path}")


@dataclass(frozen=True)
class OldFiles:
    """The files of a table, each of which can be written anew under another name."""

    uri: str
    table: DeltaTable

    def without_rows(self, path: str, drops: Drops) -> ReplacedFile:
        rows = read_parquet(f"{self.uri}/{path}")
        assert rows is not None
        return self._written(path, rows.filter(pc.invert(drops.mask(rows))))

    def _written(self, path: str, rows: pa.Table) -> ReplacedFile:
        system, root = locate(self.uri)
        folder, slash, name = path.rpartition("/")
        new = f"{folder}{slash}{NAMED}{hashlib.sha256(name.encode()).hexdigest()[:32]}.parquet"
        typed = self._typed(rows)
        size = write_parquet_aside(typed, system, f"{root}/{new}")
        return ReplacedFile(path, new, size, _statistics(typed, self._skipped_by))

    def _typed(self, rows: pa.Table) -> pa.Table:
        """Files of Spark may keep times without their zone, which Delta's own schema tells."""
        schema = pa.schema(self.table.schema().to_arrow())
        known = {*schema.names}
        fields = [schema.field(field.name) if field.name in known else field for field in rows.schema]
        return rows.cast(pa.schema(fields))

    @property
    def _skipped_by(self) -> list[str]:
        return (self.table.metadata().configuration.get(STATISTICS) or "").split(",")


def _statistics(rows: pa.Table, names: Sequence[str]) -> dict[str, Any]:
    """On the columns that the table's files are skipped by."""
    least, most = {}, {}
    for name in {*names} & {*rows.column_names}:
        bounds = pc.min_max(rows[name]).as_py()
        if isinstance(bounds["min"], date | str | int):
            least[name], most[name] = map(_as_json, (bounds["min"], bounds["max"]))
    nulls = {name: rows[name].null_count for name in least}
    return {"numRecords": rows.num_rows, "minValues": least, "maxValues": most, "nullCount": nulls}


def _as_json(value: Any) -> Any:
    return str(value) if isinstance(value, date) else value


def _commit(run: Run, old: OldFiles, replaced: Mapping[str, ReplacedFile], rows: int) -> None:
    """Replace the live ones among the files, by a commit like any other: whoever has the table open sees it."""
    table = old.table
    live = {unquote(file["path"]): file for file in pa.table(table.get_add_actions()).to_pylist()}
    if not any(path in live for path in replaced):
        return
    columns = list(table.metadata().partition_columns)
    actions: list[AddAction | RemoveAction] = []
    for path in {*replaced} & {*live}:
        file, new = live[path], replaced[path]
        values: dict[str, str | None] = {name: str(file["partition"][name]) for name in columns}
        actions.append(RemoveAction(file["path"], True, int(time.time() * 1000), file["size_bytes"], values))
        added = new.beside(file["path"])
        actions.append(AddAction(added, new.bytes, values, file["modification_time"], True, json.dumps(new.stats)))
    commit = arrow_commit(run, {"touched": [], "erased_rows": rows})
    table.create_write_transaction(actions, "append", table.schema(), columns, commit_properties=commit)
    delta_log.at_version(old.uri).create_checkpoint()
