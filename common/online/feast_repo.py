"""A Feast repository of what is published: `python -m common.online.feast_repo --lake data/lake --out data/feast`.

Entities and feature views come from the contracts. Offline, Feast reads Parquet files, one a published day: of a Delta
table it would read files that are no longer part of it. Online, it reads our own store. We never import Feast.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pyarrow as pa
import pyarrow.parquet as pq

from common.contracts import datasets, layout
from common.contracts.contract import Contract
from common.days import parse_day
from common.errors import UsageError, exit_on_error
from common.lake import delta_log, files, small_tables
from common.online import connect
from common.online.feast_templates import DEFINITIONS, ENTITY, FIELD, MADE, SETTINGS, STORE, VIEW
from common.online.serving import DAYS
from common.runtime.settings import ROOT, load_settings

# A row says what was known at the end of ds: to ask for it earlier would be to look ahead.
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
    """The Python that Feast reads: entities once, then a view for each contract."""
    entities: dict[str, str] = {}
    views = []
    types = set()
    for contract in contracts:
        variable = _entity_name(contract, contracts)
        entities.setdefault(variable, _entity(contract, variable))
        words = {each.name: each.rule.words for each in contract.features.columns}
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
    return DEFINITIONS.format(made=MADE, types=", ".join(sorted(types)), parts=parts)


def _entity(contract: Contract, variable: str) -> str:
    column = contract.column(contract.features.entity)
    if column.base_type not in KEY_TYPES:
        raise UsageError(
            f"{contract.name}: the entity {column.name!r} is {column.type}; Feast joins by one of {', '.join(KEY_TYPES)}"
        )
    return ENTITY.format(
        variable=variable,
        name=_text(variable),
        key=_text(column.name),
        type=KEY_TYPES[column.base_type],
        description=_text(column.description),
    )


def _entity_name(contract: Contract, contracts: Sequence[Contract]) -> str:
    """Datasets share an entity of one name, unless it is of several types."""
    entity = contract.features.entity
    types = {each.column(entity).type for each in contracts if each.features.entity == entity}
    return entity if len(types) == 1 else f"{contract.name}_{entity}"


def _feast_type(type_: str) -> str:
    return TYPES[type_.partition("(")[0]]


def _text(said: str) -> str:
    return json.dumps(said, ensure_ascii=False)


def export(lake: str, contract: Contract, out: Path) -> tuple[int, int]:
    """The published days as Parquet: how many there are, and how many of them were written anew."""
    table = f"{lake}/{layout.published(contract).path}"
    folder, notes = out / "data" / view(contract), out / "data" / f"{view(contract)}.json"
    folder.mkdir(parents=True, exist_ok=True)
    version = delta_log.version(table)
    days: dict[str, list[str]] = {}
    for file in delta_log.files(table, version):
        days.setdefault(file.partition["ds"], []).append(file.path)
    days = {day: sorted(paths) for day, paths in days.items()}
    # A data file never changes: the same files are the same rows.
    before = files.read_json(str(notes)) or {}
    changed = [day for day in days if before.get(day) != days[day] or not (folder / f"{day}.parquet").exists()]
    for found in folder.glob("*.parquet"):
        if found.stem not in days:
            found.unlink()
    for day in changed:
        rows = _as_feast_reads(
            small_tables.read_slice(table, {"ds": [parse_day(day)]}, version=version), parse_day(day)
        )
        aside = folder.parent / f"{view(contract)}.{day}.tmp"
        pq.write_table(rows, aside)
        aside.replace(folder / f"{day}.parquet")
    files.write_json(str(notes), days)
    return len(days), len(changed)


def _as_feast_reads(rows: pa.Table, ds: date) -> pa.Table:
    """Feast knows no dates, only instants."""
    instant = pa.timestamp("us", "UTC")
    for index, field in enumerate(rows.schema):
        if pa.types.is_date(field.type):
            rows = rows.set_column(index, field.name, rows.column(index).cast(pa.timestamp("us")).cast(instant))
    known_at = datetime.combine(ds, datetime.min.time(), UTC) + timedelta(days=1)
    return rows.drop_columns(["ds"]).append_column(KNOWN_AT, pa.array([known_at] * rows.num_rows, instant))


def write(contracts: Sequence[Contract], out: Path, address: str) -> None:
    """The three files of the repository. An address with a password stays where it is: in ONLINE."""
    out.mkdir(parents=True, exist_ok=True)
    secret = urlsplit(address).password or urlsplit(address).query
    texts = {
        "feature_store.yaml": SETTINGS.format(made=MADE, address='"${ONLINE}"' if secret else json.dumps(address)),
        "definitions.py": definitions(contracts),
        "pipeline_online.py": STORE.format(made=MADE),
    }
    for name, text in texts.items():
        (out / name).write_text(text, encoding="utf-8")


@exit_on_error()
def main() -> None:
    arguments = argparse.ArgumentParser(prog="python -m common.online.feast_repo", description=__doc__)
    arguments.add_argument("--lake", help="where the tables are; else as conf/local.yml says")
    arguments.add_argument("--out", type=Path, required=True, help="the folder of the repository")
    given = arguments.parse_args()
    contracts = [datasets.load(name).contract for name in datasets.names()]
    lake = load_settings("local", lake=given.lake).lake
    write(contracts, given.out, os.environ.get("ONLINE") or connect.DEFAULT)
    for contract in contracts:
        days, changed = export(lake, contract, given.out)
        print(f"{view(contract)}: {days} published days, {changed} written anew")
    print(f"Where feast[duckdb] is installed: cd {given.out} && PYTHONPATH={ROOT}:. feast apply")


if __name__ == "__main__":
    main()
