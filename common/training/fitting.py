"""Fit steps on the train split; the same code then applies them to a table and to a single row."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa

from common.errors import ContractViolationError, require
from common.names import repeated
from common.training import steps as declarable
from common.training.step_base import NOT_OF_TYPE, Columns, Params, Step, exact

FORMAT = 1

_DECIMAL = re.compile(r"decimal128\((\d+), (-?\d+)\)")
_ZONED = re.compile(r"timestamp\[(\w+), tz=(.+)\]")


def columns_read(steps: Sequence[Step]) -> tuple[str, ...]:
    """Return the columns needed before the first step; raise if the steps contradict each other."""
    needed: dict[str, None] = {}
    present: dict[str, str] = {}
    removed: dict[str, str] = {}
    for step in steps:
        for name in (*step.reads, *step.removes):
            require(
                name not in removed,
                f"{step.name} needs {name}, which {removed.get(name)} has removed; put it before that step",
            )
        for name in step.writes:
            fresh = name in step.reads or name not in present
            require(
                fresh,
                f"{step.name} would overwrite {name}, which comes from {present.get(name)}; give its column another name",
            )
        needed |= dict.fromkeys(name for name in step.reads if name not in present)
        present = {**dict.fromkeys(step.reads, "the table"), **present, **dict.fromkeys(step.writes, step.name)}
        present = {name: by for name, by in present.items() if name not in step.removes}
        removed = {name: by for name, by in removed.items() if name not in step.writes}
        removed |= dict.fromkeys(step.removes, step.name)
    return tuple(needed)


@dataclass(frozen=True)
class Fitted:
    """Steps with their fitted parameters; serving needs nothing else. Stored as one JSON text."""

    steps: tuple[Step, ...]
    params: tuple[Params, ...]
    input_schema: pa.Schema

    @cached_property
    def reads(self) -> tuple[str, ...]:
        """The input columns that rows must have; all others are optional and pass through."""
        return tuple(name for name in columns_read(self.steps) if name in self.input_schema.names)

    @cached_property
    def output_schema(self) -> pa.Schema:
        """The schema of the output for a table with all columns of the train split."""
        return self.apply(self.input_schema.empty_table()).schema

    def apply(self, rows: pa.Table | pa.RecordBatch) -> pa.Table:
        columns = self._transformed(_columns(rows))
        return pa.Table.from_arrays(list(columns.values()), names=list(columns))

    def apply_row(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """Apply the steps to one row, through the same code as a table."""
        columns = self._transformed({name: _single(name, value, self._types.get(name)) for name, value in row.items()})
        return {name: column[0].as_py() for name, column in columns.items()}

    def to_json(self) -> str:
        steps = [
            {"step": type(step).__name__, "declared": step.declared, "fitted": params}
            for step, params in zip(self.steps, self.params, strict=True)
        ]
        columns = [{"name": field.name, "type": str(field.type)} for field in self.input_schema]
        return json.dumps({"format": FORMAT, "columns": columns, "steps": steps}, ensure_ascii=False, allow_nan=False)

    @staticmethod
    def from_json(text: str) -> Fitted:
        stored = json.loads(text)
        if stored.get("format") != FORMAT:
            version = stored.get("format")
            raise ContractViolationError(f"found fitted steps of format {version}, expected {FORMAT}; fit them again")
        return Fitted(
            tuple(_step(step["step"], step["declared"]) for step in stored["steps"]),
            tuple(step["fitted"] for step in stored["steps"]),
            pa.schema([(column["name"], _type(column["type"])) for column in stored["columns"]]),
        )

    @cached_property
    def _types(self) -> dict[str, pa.DataType]:
        return {field.name: field.type for field in self.input_schema}

    def _transformed(self, columns: Columns) -> Columns:
        for name in self.reads:
            if name not in columns:
                raise ContractViolationError(
                    f"found the columns {_listed(columns)}; expected {name} ({self._types[name]}) too"
                )
            if columns[name].type != self._types[name]:
                raise ContractViolationError(
                    f"{name}: found {columns[name].type}, expected {self._types[name]} as when fitted"
                )
        # Keep the column order of fitting: a model may address columns by position.
        columns = {name: columns[name] for name in self._types if name in columns} | columns
        for step, params in zip(self.steps, self.params, strict=True):
            columns = _apply_step(step, params, columns)
        return columns


def columns_used(steps: Sequence[Step]) -> set[str]:
    """The columns without which the steps can't be fitted."""
    return {name for step in steps for name in (*step.reads, *step.removes)}


def fit(steps: Sequence[Step], table: pa.Table, schema: pa.Schema | None = None) -> Fitted:
    """Fit each step on the train split, as transformed by the steps before it.

    `schema` is that of the whole split, if the table has only the columns that the steps use.
    """
    columns_read(steps)
    schema = schema or table.schema
    for field in schema:
        _require_storable(field)
    # A column that no step uses is there only by its name.
    columns = _columns(schema.empty_table()) | _columns(table)
    learnt: list[Params] = []
    for step in steps:
        for name in (*step.reads, *step.removes):
            if name not in columns:
                raise ContractViolationError(f"{step.name}: found the columns {_listed(columns)}; expected {name} too")
        learnt.append(_fit_step(step, columns))
        columns = _apply_step(step, learnt[-1], columns)
    return Fitted(tuple(steps), tuple(learnt), pa.schema([(field.name, field.type) for field in schema]))


def _fit_step(step: Step, columns: Columns) -> Params:
    try:
        with np.errstate(over="raise"):
            return step.fit(columns)
    except ArithmeticError:
        raise ContractViolationError(
            f"{step.name}: the column's numbers are too large to compute with; add a Clip step before it"
        ) from None


def _apply_step(step: Step, params: Params, columns: Columns) -> Columns:
    with np.errstate(all="ignore"):
        outputs = step.apply(columns, params)
    overwritten = sorted((outputs.keys() & columns.keys()) - set(step.reads))
    if overwritten:
        raise ContractViolationError(
            f"{step.name} would overwrite {_listed(overwritten)}, which the rows have already; rename or drop one of them"
        )
    return {name: column for name, column in columns.items() if name not in step.removes} | outputs


def _columns(rows: pa.Table | pa.RecordBatch) -> Columns:
    names = rows.schema.names
    if twice := repeated(names):
        raise ContractViolationError(f"found the columns {_listed(names)}; expected {_listed(twice)} once")
    return dict(zip(names, rows.columns, strict=True))


def _single(name: str, value: Any, type_: pa.DataType | None) -> pa.Array:
    try:
        return exact([value], type_)
    except NOT_OF_TYPE:
        # Arrow's own message shows the value, and the column may be sensitive.
        raise ContractViolationError(
            f"{name}: found a {type(value).__name__} that is no {type_ or 'column type'}"
        ) from None


def _step(name: str, declared: dict[str, Any]) -> Step:
    kind = getattr(declarable, name, None)
    if not (isinstance(kind, type) and issubclass(kind, Step)):
        raise ContractViolationError(
            f"found fitted steps with a {name}, expected a step that this code knows; fit them again"
        )
    return kind(**{key: tuple(value) if isinstance(value, list) else value for key, value in declared.items()})


def _require_storable(field: pa.Field) -> None:
    try:
        storable = _type(str(field.type)) == field.type
    except ValueError:
        storable = False
    if not storable:
        raise ContractViolationError(
            f"{field.name}: found {field.type}, expected a plain type that can be stored by name; cast or drop the column"
        )


def _type(text: str) -> pa.DataType:
    """Parse a type as Arrow prints it; Arrow's own aliases lack the types with arguments."""
    if decimal := _DECIMAL.fullmatch(text):
        return pa.decimal128(int(decimal[1]), int(decimal[2]))
    if zoned := _ZONED.fullmatch(text):
        return pa.timestamp(zoned[1], tz=zoned[2])
    return pa.type_for_alias(text)


def _listed(names: Sequence[str] | Columns) -> str:
    return ", ".join(names)
