"""Messages to records: the fields of their values as text, and the key, time, place and headers that the contract asks for.

Plain Python, so that it can be tested without Spark and runs as it is inside Spark's tasks.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from common.contracts.contract import Contract
from common.sources.arrow_batches import record_batch, refused_batch
from common.sources.envelopes import TOMBSTONE, Envelopes
from common.sources.files.json_records import JsonObjects
from common.sources.parsed_block import ParsedBlock

PARTITION, VALUE, KEY = "partition", "value", "key"


@dataclass(frozen=True)
class MessageReader:
    """How one topic's messages become records of a contract."""

    contract: Contract
    topic: str
    longest: int
    # The columns besides partition, value and key, by the names they get.
    beside: tuple[str, ...] = ()
    key_as: str | None = None
    deleted_as: str | None = None

    def batches(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        declared = self.contract.columns
        columns = [column.name for column in declared]
        objects = JsonObjects(columns, self.contract.own_names, self.longest, declared, Envelopes.of(self.contract))
        unit = f"{self.topic}-0"
        for batch in batches:
            for unit, block in self._blocks(batch, objects).items():
                if block.rows:
                    yield record_batch(unit, list(zip(*block.rows, strict=True)), columns, len(block.rows))
                if block.refused or block.lines != block.records:
                    yield refused_batch(unit, block, columns)
        if unknown := objects.unknown.shown():
            yield refused_batch(unit, ParsedBlock(extra={*unknown}), columns)

    def _blocks(self, batch: pa.RecordBatch, objects: JsonObjects) -> dict[str, ParsedBlock]:
        """By partition: a task may read several."""
        blocks: dict[int, ParsedBlock] = {}
        places, values, keys = (batch.column(name).to_pylist() for name in (PARTITION, VALUE, KEY))
        beside = [batch.column(name).to_pylist() for name in self.beside]
        for at, (number, value, key) in enumerate(zip(places, values, keys, strict=True)):
            block = blocks.get(number) or blocks.setdefault(number, ParsedBlock())
            block.lines += 1
            self._take(block, objects, value, key, [column[at] for column in beside])
        return {f"{self.topic}-{number}": block for number, block in blocks.items()}

    def _take(
        self, block: ParsedBlock, objects: JsonObjects, value: bytes | None, key: bytes | None, beside: Sequence[Any]
    ) -> None:
        try:
            extra = self._beside(value, key, beside)
            problem, fields, text = self._fields(objects, value, key)
        except UnicodeDecodeError as error:
            block.refuse("not_utf8", b64encode(error.object).decode())
            return
        if not objects.is_record(problem):
            return
        if not problem and extra:
            own = dict(zip(self.contract.own_names([*extra]), extra.values(), strict=True))
            problem = "name_twice" if fields.keys() & own.keys() else ""
            fields = {**fields, **own}
        if problem:
            block.refuse(problem, objects.cut(text))
        else:
            block.rows.append(objects.row(fields))

    def _fields(self, objects: JsonObjects, value: bytes | None, key: bytes | None) -> tuple[str, dict[str, Any], str]:
        if value is not None:
            text = value.decode()
            return *objects.fields(text), text
        if self.deleted_as:
            return "", {}, ""
        return TOMBSTONE, {}, json.dumps({"key": None if key is None else key.decode()})

    def _beside(self, value: bytes | None, key: bytes | None, beside: Sequence[Any]) -> dict[str, Any]:
        """The columns that do not come from the value."""
        extra = {
            name: found.decode() if isinstance(found, bytes) else found
            for name, found in zip(self.beside, beside, strict=True)
        }
        if self.key_as:
            extra[self.key_as] = None if key is None else key.decode()
        if self.deleted_as:
            extra[self.deleted_as] = value is None
        return extra
