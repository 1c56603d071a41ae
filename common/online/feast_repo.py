"""Generate a Feast repository: `python -m common.online.feast_repo --lake data/lake --out data/feast`.

Entities and feature views come from the contracts. Offline, Feast reads one Parquet file per published day or hour: pointed at
a Delta table, it would also read files that later commits removed. Online, it reads our own store. This module does not
import Feast.
"""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from urllib.parse import urlsplit

import pyarrow as pa
import pyarrow.parquet as pq

from common.contracts import datasets, layout
from common.contracts.checking.field_types import base_type
from common.contracts.contract import Contract
from common.days import as_stored, end_of, from_text
from common.errors import UsageError, exit_on_error
from common.lake import small_tables
from common.lake.log import data_files, delta_log
from common.lake.storage import files
from common.online import connect
from common.online.feast_templates import DEFINITIONS, ENTITY, FIELD, GENERATED, SETTINGS, STORE, VIEW
from common.online.serving import DAYS
from common.printable import printable
from common.runtime.command_line import CommandLine
from common.runtime.locations import out_folder
from common.runtime.settings import ROOT, load_settings

# A row of ds holds what was known at the end of ds. An earlier timestamp would leak the future.
KNOWN_AT = "known_at"
TYPES = {
    "string": "String",
    "int": "Int32",
    "long": "Int64",
    "double": "Float64",
    "boolean": "Bool",
    "date": "UnixTimestamp",
    "timestamp": "UnixTimestamp",
    "decimal": "Decimal",
}
KEY_TYPES = {"string": "STRING", "int": "INT32", "long": "INT64"}


def view(contract: Contract) -> str:
    return f"{contract.name}_v{contract.features.version}"


def definitions(contracts: Sequence[Contract]) -> str:
    """Return the Python module that Feast reads: each entity once, then one view per contract."""
    entities: dict[str, str] = {}
    views = []
    types = set()
    for contract in contracts:
        variable = _entity_name(contract, contracts)
        entities.setdefault(variable, _entity(contract, variable))
        words = {feature.name: feature.rule.words for feature in contract.features.columns}
        typed = [(name, _feast_type(type_)) for name, type_ in layout.features(contract).columns if name in words]
        types |= {type_ for _, type_ in typed}
        fields = [FIELD.format(name=name, type=type_, description=_text(words[name])) for name, type_ in typed]
        views.append(
            VIEW.format(
                view=view(contract),
                description=_text(contract.description),
                entity=variable,
                fields="".join(fields),
                known_at=KNOWN_AT,
                days=DAYS,
            )
        )
    parts = "\n".join([*entities.values(), *views]).rstrip()
    return DEFINITIONS.format(generated=GENERATED, types=", ".join(sorted(types)), parts=parts)


def _entity(contract: Contract, variable: str) -> str:
    column = contract.column(contract.features.entity)
    if column.base_type not in KEY_TYPES:
        raise UsageError(
            f"{contract.name}: the entity {column.name!r} is {column.type}; Feast joins by one of "
            f"{', '.join(KEY_TYPES)}; declare it as one of those"
        )
    return ENTITY.format(
        variable=variable,
        name=_text(variable),
        key=_text(column.name),
        type=KEY_TYPES[column.base_type],
        description=_text(column.description),
    )


def _entity_name(contract: Contract, contracts: Sequence[Contract]) -> str:
    """Datasets share an entity of the same name, unless its type differs between them."""
    entity = contract.features.entity
    types = {other.column(entity).type for other in contracts if other.features.entity == entity}
    return entity if len(types) == 1 else f"{contract.name}_{entity}"


def _feast_type(type_: str) -> str:
    return TYPES[base_type(type_)]


def _text(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def export(lake: str, contract: Contract, out: Path) -> tuple[int, int]:
    """Write the published days as Parquet; return how many there are and how many of them were rewritten."""
    table = f"{lake}/{layout.published(contract).path}"
    folder, notes = out / "data" / view(contract), out / "data" / f"{view(contract)}.json"
    folder.mkdir(parents=True, exist_ok=True)
    version = delta_log.version(table)
    days: dict[str, list[str]] = {}
    for file in data_files.files(table, version):
        days.setdefault(file.partition["ds"], []).append(file.path)
    days = {day: sorted(paths) for day, paths in days.items()}
    # Data files are immutable: a day with the same files has the same rows.
    before = files.read_json(str(notes)) or {}
    changed = [day for day in days if before.get(day) != days[day] or not (folder / f"{day}.parquet").exists()]
    for file_of_day in folder.glob("*.parquet"):
        if file_of_day.stem not in days:
            file_of_day.unlink()
    for day in changed:
        rows = _as_feast_reads(
            small_tables.read_slice(table, {"ds": [as_stored(from_text(day))]}, version=version), from_text(day)
        )
        temporary = folder.parent / f"{view(contract)}.{day}.tmp"
        pq.write_table(rows, temporary)
        temporary.replace(folder / f"{day}.parquet")
    files.write_json(str(notes), days)
    return len(days), len(changed)


def _as_feast_reads(rows: pa.Table, ds: date) -> pa.Table:
    """Feast has timestamps but no dates, so dates become midnight UTC."""
    instant = pa.timestamp("us", "UTC")
    for index, field in enumerate(rows.schema):
        if pa.types.is_date(field.type):
            rows = rows.set_column(index, field.name, rows.column(index).cast(pa.timestamp("us")).cast(instant))
    known_at = end_of(ds)
    return rows.drop_columns(["ds"]).append_column(KNOWN_AT, pa.array([known_at] * rows.num_rows, instant))


def write(contracts: Sequence[Contract], out: Path, address: str) -> None:
    """Write the three files of the repository. An address with credentials is not written; Feast reads it from ONLINE."""
    out.mkdir(parents=True, exist_ok=True)
    secret = urlsplit(address).password or urlsplit(address).query
    texts = {
        "feature_store.yaml": SETTINGS.format(
            generated=GENERATED, address='"${ONLINE}"' if secret else json.dumps(address)
        ),
        "definitions.py": definitions(contracts),
        "pipeline_online.py": STORE.format(generated=GENERATED),
    }
    for name, text in texts.items():
        (out / name).write_text(text, encoding="utf-8")


@exit_on_error()
def main() -> None:
    parser = CommandLine(prog="python -m common.online.feast_repo", description=__doc__)
    parser.with_help(".venv/bin/python -m common.online.feast_repo --out data/feast")
    parser.add_argument("--lake", help="where the tables are (default: as in conf/local.yml)")
    parser.add_argument("--out", type=out_folder, required=True, help="the folder to write the repository to")
    arguments = parser.parse_args()
    contracts = [datasets.load(name).contract for name in datasets.names()]
    lake = load_settings("local", lake=arguments.lake).lake
    write(contracts, arguments.out, os.environ.get("ONLINE") or connect.DEFAULT)
    for contract in contracts:
        days, changed = export(lake, contract, arguments.out)
        print(f"{view(contract)}: {days} published {contract.every}s, {changed} rewritten")
    place, path = shlex.quote(printable(arguments.out)), shlex.quote(f"{ROOT}:.")
    print(f"With feast[duckdb] installed, run: cd {place} && PYTHONPATH={path} feast apply")


if __name__ == "__main__":
    main()
