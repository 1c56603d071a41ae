"""Steps fitted on the training split alone; the same code then applies them to a table and to a single row."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa

from common.errors import ContractViolationError, require
from common.training import steps as declarable
from common.training.step_base import NOT_OF_TYPE, Columns, Params, Step, exact

FORMAT = 1

_DECIMAL = re.compile(r"decimal128\((\d+), (-?\d+)\)")
_ZONED = re.compile(r"timestamp\[(\w+), tz=(.+)\]")


def columns_read(steps: Sequence[Step]) -> tuple[str, ...]:
    """The columns that must be there before the first step; steps that contradict each other are refused."""
    needed: dict[str, None] = {}
    there: dict[str, str] = {}
    gone: dict[str, str] = {}
    for step in steps:
        for name in (*step.reads, *step.removes):
            require(name not in gone, f"{step.name} needs {name}, which {gone.get(name)} has removed")
        for name in step.writes:
            fresh = name in step.reads or name not in there
            require(fresh, f"{step.name} would write {name} over what {there.get(name)} gave")
        needed |= dict.fromkeys(name for name in step.reads if name not in there)
        there = {**dict.fromkeys(step.reads, "the table"), **there, **dict.fromkeys(step.writes, step.name)}
        there = {name: by for name, by in there.items() if name not in step.removes}
        gone = {name: by for name, by in gone.items() if name not in step.writes}
        gone |= dict.fromkeys(step.removes, step.name)
    return tuple(needed)


@dataclass(frozen=True)
class Fitted:
    """Steps and what each has learnt: all that is needed to serve, as one JSON text."""

    steps: tuple[Step, ...]
    params: tuple[Params, ...]
    input_schema: pa.Schema

    @cached_property
    def reads(self) -> tuple[str, ...]:
        """The columns of the input that rows must have; the others may be missing, and pass through."""
        return tuple(name for name in columns_read(self.steps) if name in self.input_schema.names)

    @cached_property
    def output_schema(self) -> pa.Schema:
        """Of a table with all the columns of the training split."""
        return self.apply(self.input_schema.empty_table()).schema

    def apply(self, rows: pa.Table | pa.RecordBatch) -> pa.Table:
        columns = self._applied(_columns(rows))
        return pa.Table.from_arrays(list(columns.values()), names=list(columns))

    def apply_row(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """A table of one row, through the very code that tables go through."""
        columns = self._applied({name: _single(name, value, self._types.get(name)) for name, value in row.items()})
        return {name: column[0].as_py() for name, column in columns.items()}

    def to_json(self) -> str:
        steps = [
            {"step": type(step).__name__, "declared": _declared(step), "fitted": params}
            for step, params in zip(self.steps, self.params, strict=True)
        ]
        columns = [{"name": field.name, "type": str(field.type)} for field in self.input_schema]
        return json.dumps({"format": FORMAT, "columns": columns, "steps": steps}, ensure_ascii=False, allow_nan=False)

    @staticmethod
    def from_json(text: str) -> Fitted:
        stored = json.loads(text)
        if stored.get("format") != FORMAT:
            found = stored.get("format")
            raise ContractViolationError(f"fitted steps of format {found}, this code reads {FORMAT}: fit them again")
        return Fitted(
            tuple(_step(each["step"], each["declared"]) for each in stored["steps"]),
            tuple(each["fitted"] for each in stored["steps"]),
            pa.schema([(each["name"], _type(each["type"])) for each in stored["columns"]]),
        )

    @cached_property
    def _types(self) -> dict[str, pa.DataType]:
        return {field.name: field.type for field in self.input_schema}

    def _applied(self, columns: Columns) -> Columns:
        for name in self.reads:
            if name not in columns:
                raise ContractViolationError(
                    f"found the columns {_listed(columns)}; expected {name} ({self._types[name]}) too"
                )
            if columns[name].type != self._types[name]:
                raise ContractViolationError(
                    f"{name}: found {columns[name].type}, expected {self._types[name]} as when fitted"
                )
        # In the order of fitting, whatever that of the rows: a model may go by places.
        columns = {name: columns[name] for name in self._types if name in columns} | columns
        for step, params in zip(self.steps, self.params, strict=True):
            columns = _stepped(step, params, columns)
        return columns


def fit(steps: Sequence[Step], table: pa.Table) -> Fitted:
    """Each step learns from what the steps before it made of the training split."""
    columns_read(steps)
    for field in table.schema:
        _insist_storable(field)
    columns = _columns(table)
    learnt: list[Params] = []
    for step in steps:
        for name in (*step.reads, *step.removes):
            if name not in columns:
                raise ContractViolationError(f"{step.name}: found the columns {_listed(columns)}; expected {name} too")
        learnt.append(_learnt(step, columns))
        columns = _stepped(step, learnt[-1], columns)
    return Fitted(tuple(steps), tuple(learnt), pa.schema([(field.name, field.type) for field in table.schema]))


def _learnt(step: Step, columns: Columns) -> Params:
    try:
        with np.errstate(over="raise"):
            return step.fit(columns)
    except ArithmeticError:
        raise ContractViolationError(
            f"{step.name}: its numbers are too large to reckon with; Clip them first"
        ) from None


def _stepped(step: Step, params: Params, columns: Columns) -> Columns:
    with np.errstate(all="ignore"):
        made = step.apply(columns, params)
    over = sorted((made.keys() & columns.keys()) - set(step.reads))
    if over:
        raise ContractViolationError(
            f"{step.name} would write {_listed(over)} over what is there: name or drop one otherwise"
        )
    return {name: column for name, column in columns.items() if name not in step.removes} | made


def _columns(rows: pa.Table | pa.RecordBatch) -> Columns:
    names = rows.schema.names
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ContractViolationError(f"found the columns {_listed(names)}; expected {_listed(twice)} once")
    return dict(zip(names, rows.columns, strict=True))


def _single(name: str, value: Any, type_: pa.DataType | None) -> pa.Array:
    try:
        return exact([value], type_)
    except NOT_OF_TYPE:
        # Arrow's own message has the value in it, and the column may be sensitive.
        raise ContractViolationError(
            f"{name}: found a {type(value).__name__} that is no {type_ or 'column type'}"
        ) from None


def _declared(step: Step) -> dict[str, Any]:
    return {field.name: getattr(step, field.name) for field in fields(step)}


def _step(name: str, declared: dict[str, Any]) -> Step:
    kind = getattr(declarable, name, None)
    if not (isinstance(kind, type) and issubclass(kind, Step)):
        raise ContractViolationError(f"fitted steps with a {name}, which this code does not know: fit them again")
    return kind(**{key: tuple(value) if isinstance(value, list) else value for key, value in declared.items()})


def _insist_storable(field: pa.Field) -> None:
    try:
        storable = _type(str(field.type)) == field.type
    except ValueError:
        storable = False
    if not storable:
        raise ContractViolationError(f"{field.name}: found {field.type}, expected a plain type, which JSON can name")


def _type(text: str) -> pa.DataType:
    """The type that Arrow writes so; its own aliases lack those with arguments."""
    if found := _DECIMAL.fullmatch(text):
        return pa.decimal128(int(found[1]), int(found[2]))
    if found := _ZONED.fullmatch(text):
        return pa.timestamp(found[1], tz=found[2])
    return pa.type_for_alias(text)


def _listed(names: Sequence[str] | Columns) -> str:
    return ", ".join(names)
