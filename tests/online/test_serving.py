"""Serving one entity's vector from the online store."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest

from common.errors import SourceMissingError, UsageError
from common.online.connect import open_store
from common.online.serving import Server
from common.online.store import Store

OF_TYPE = {
    "string": (pa.string(), "a7", "a7"),
    "int": (pa.int32(), 7, "7"),
    "long": (pa.int64(), 2**53 + 1, str(2**53 + 1)),
    "date": (pa.date32(), date(2026, 1, 5), "2026-01-05"),
    "decimal(12,2)": (pa.decimal128(12, 2), Decimal("7.50"), "7.50"),
}


def loaded(folder: Path, type_: pa.DataType, key: object, **facts: str) -> Store:
    store = open_store(f"sqlite:///{folder}/online.db")
    rows = pa.table({"who": pa.array([key], type_), "spend": [1.5]})
    store.load("people_v1", "who", rows.to_batches(), facts)
    return store


@pytest.mark.parametrize("declared", OF_TYPE)
def test_an_entity_is_found_by_its_value_and_by_its_text(tmp_path: Path, declared: str) -> None:
    type_, key, text = OF_TYPE[declared]
    server = Server(loaded(tmp_path, type_, key, entity_type=declared), "people_v1")
    assert server.vector(key) == server.vector(text) == {"who": key, "spend": 1.5}


@pytest.mark.parametrize("entity", ["abc", "1 OR 1=1", "", 2**70, None])
def test_an_invalid_entity_is_refused_with_a_message(tmp_path: Path, entity: object) -> None:
    server = Server(loaded(tmp_path, pa.int64(), 7, entity_type="long"), "people_v1")
    with pytest.raises(UsageError, match="who .* can't be read as int64, the type of that column"):
        server.vector(entity)


def test_an_entity_without_a_row_is_named(tmp_path: Path) -> None:
    server = Server(loaded(tmp_path, pa.int64(), 7, entity_type="long"), "people_v1")
    with pytest.raises(SourceMissingError, match="who 8 has no row in online people_v1"):
        server.vector(8)


def test_a_view_without_stored_types_must_be_loaded_again(tmp_path: Path) -> None:
    with pytest.raises(SourceMissingError, match="does not record the type of its who; load it again"):
        Server(loaded(tmp_path, pa.int64(), 7), "people_v1")
