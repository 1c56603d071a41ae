"""Which rows and texts are about the entity, in each kind of table."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from common.contracts.column import Column
from common.contracts.contract import Contract
from common.contracts.entity_text import BETWEEN_VALUES, canonical, entity_column
from common.errors import UsageError

MASK = "(erased)"
# Lists in results of the gate, whose members are values of the data.
EXAMPLES = re.compile(r"examples|partial_unexpected\w*|unexpected\w*list|unexpected_rows|top|value")
# A shorter number could be any count, and a name could be a word.
SHORTEST = 6


@dataclass(frozen=True)
class Person:
    """One entity of a dataset. Recognizes its rows for `common.lake.erasing.row_erasure`."""

    column: Column
    text: str

    @classmethod
    def of(cls, contract: Contract, typed: str) -> Person:
        column = entity_column(contract)
        text = canonical(column, typed)
        if text is None:
            raise UsageError(f"--entity is no {column.name}: expected a {column.type}. Nothing was touched")
        return cls(column, text)

    @property
    def value(self) -> str | int:
        return self.text if self.column.base_type == "string" else int(self.text)

    @property
    def is_telling(self) -> bool:
        """Whether the text can't be mistaken for a count or a word, wherever it stands."""
        return len(self.text) >= SHORTEST and bool(re.search(r"\d|[^\w\s]", self.text))

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        flags = re.IGNORECASE if self.column.lower else 0
        spelled = {re.escape(self.text), re.escape(json.dumps(self.text)[1:-1])}
        return re.compile(rf"(?<!\w)({'|'.join(sorted(spelled))})(?!\w)", flags)

    def is_in(self, text: str) -> bool:
        """Whether a text names the entity; False if the entity could be just a number or a word."""
        return self.is_telling and bool(self._pattern.search(text))

    def needs(self, names: Sequence[str]) -> list[str]:
        if {"record", "reasons"} <= {*names}:
            return ["record"]
        if self.column.name in names:
            return [self.column.name]
        return list(names) if self.is_telling else []

    def mask(self, rows: pa.Table) -> pa.Array:
        if {"record", "reasons"} <= {*rows.column_names} or rows.column_names == ["record"]:
            return _each(rows["record"], self._in_record)
        if self.column.name in rows.column_names:
            return _each(rows[self.column.name], self._is_its)
        return pa.array([self.is_in(str(row)) for row in rows.to_pylist()], pa.bool_())

    def is_value(self, value: Any) -> bool:
        return value is not None and canonical(self.column, str(value)) == self.text

    def _is_its(self, value: Any) -> bool:
        """Also matches a text that is not a valid entity as it stands, such as `7.0` for a whole number."""
        if value is None or self.is_value(value):
            return value is not None
        words = re.split(r"\W", str(value)) if canonical(self.column, str(value)) is None else []
        return any(map(self.is_value, words))

    def _in_record(self, record: str | None) -> bool:
        """For a refused record: compare its field if it could be parsed, else any value in it."""
        try:
            fields = json.loads(record or "")
        except ValueError:
            fields = None
        names = {self.column.name, self.column.source}
        if isinstance(fields, dict) and names & {*fields}:
            return any(self._is_its(fields.get(name)) for name in names)
        return any(map(self._is_its, re.split(BETWEEN_VALUES, record or "")))

    def in_statistics(self, text: str) -> bool:
        """Of a data file: whether the smallest or the largest value is this entity."""
        told = json.loads(text)
        bounds = [(told.get(name) or {}).get(self.column.name) for name in ("minValues", "maxValues")]
        return any(map(self.is_value, bounds)) or self.is_in(text)

    def scrubbed(self, value: Any, among_values: bool = False) -> Any:
        """The JSON value without the entity: examples of values, and texts that name it."""
        if isinstance(value, dict):
            return {name: self.scrubbed(item, bool(EXAMPLES.fullmatch(name))) for name, item in value.items()}
        if isinstance(value, list):
            return [self.scrubbed(item, among_values) for item in value]
        if among_values and isinstance(value, str | int) and not isinstance(value, bool) and self.is_value(value):
            return MASK
        return self.scrubbed_text(value) if isinstance(value, str) else value

    def scrubbed_text(self, text: str) -> str:
        return self._pattern.sub(MASK, text) if self.is_telling else text


def _each(values: pa.ChunkedArray, told: Any) -> pa.Array:
    """The answer for each value; each distinct value is asked about once."""
    different = pc.unique(values)
    chosen = pa.array([value for value in different.to_pylist() if told(value)], different.type)
    return pc.fill_null(pc.is_in(values, chosen), False)
