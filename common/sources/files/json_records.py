"""JSON lines to records, each field as text; a line that cannot be read is refused with its text."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import Any

from common.contracts.column import Column
from common.sources.envelopes import TOMBSTONE, Envelopes
from common.sources.files.text_records import Lines, RefusedFileError, Shown, decimal_marks
from common.sources.json_values import JsonNumber, is_text, plain_text
from common.sources.parsed_block import ParsedBlock, is_blank
from common.sources.unknown_names import UnknownNames

# A line that ends like this leaves a value open, and an object on the next line may be inside it.
GOES_ON = (",", ":", "[")
# How many sets of object names are cached with the contract's names for them.
SHAPES = 1_000


def require_json_lines(first: str, shown: Shown = list) -> None:
    """Refuses a file whose first line goes on in the next: what its other lines hold are parts, not records."""
    text = first.strip()
    try:
        array = isinstance(json.loads(text), list)
    except json.JSONDecodeError as error:
        array = text.startswith("[") or error.pos >= len(text) or error.msg.startswith("Unterminated string")
    except (ValueError, RecursionError):
        array = False
    if array:
        raise RefusedFileError(
            f"its first line is {shown([text[:40]])}, an array or a part of a value; expected JSON lines, one object a line; "
            "convert it (jq -c '.[]' does)"
        )


class JsonObjects:
    """Parses texts of one object each: the values of the wanted names as text, as they are written."""

    def __init__(
        self,
        wanted: Sequence[str],
        rename: Callable[[list[str]], list[str]],
        longest: int,
        declared: Sequence[Column],
        envelopes: Envelopes | None = None,
    ) -> None:
        self._envelopes = envelopes
        self._wanted, self._known, self._longest = wanted, set(wanted), longest
        # Most objects have the same names.
        self._rename = lru_cache(SHAPES)(lambda names: rename([*names]))
        self._marks = decimal_marks(declared)
        self.unknown = UnknownNames()

    def fields(self, text: str) -> tuple[str, dict[str, Any]]:
        """The problem, or the object's values by the contract's names."""
        if len(text) > self._longest:
            return "too_long", {}
        try:
            value = _DECODER.decode(text)
        except (ValueError, RecursionError):
            return "not_json", {}
        problem, fields = self._fields_of(value)
        if "\\u" in text and not is_text("".join(map(str, [*fields, *fields.values()]))):
            return "half_a_character", {}
        return problem, fields

    def is_record(self, problem: str) -> bool:
        """False for a tombstone, where the delete before it is a record."""
        return problem != TOMBSTONE or self._envelopes is None

    def _fields_of(self, value: Any) -> tuple[str, dict[str, Any]]:
        if self._envelopes is None:
            return _object_fields(value, self._known, self._rename)
        problem, change = self._envelopes.unwrap(value)
        if change is None:
            return problem, {}
        problem, named = _object_fields(change.row, self._known, self._rename)
        return problem, {} if problem else change.fields(named, self._envelopes.key)

    def cut(self, text: str) -> str:
        return text[: self._longest]

    def row(self, fields: dict[str, Any]) -> list[str | None]:
        self.unknown.add(fields.keys() - self._known)
        return [plain_text(fields.get(name), self._marks.get(name, ".")) for name in self._wanted]


class _Lines:
    """Puts the lines of one file into blocks, and knows whether a value goes on in the next line."""

    def __init__(self, objects: JsonObjects) -> None:
        self._objects = objects
        self._goes_on = False

    def take(self, line: str, batch: ParsedBlock) -> None:
        batch.lines += 1
        problem, fields = self._fields(line)
        if not self._objects.is_record(problem):
            return
        if problem:
            batch.refuse(problem, self._objects.cut(line).removesuffix("\r"))
            return
        batch.rows.append(self._objects.row(fields))

    def _fields(self, line: str) -> tuple[str, dict[str, Any]]:
        part = self._goes_on
        problem, fields = self._objects.fields(line)
        if text := line.rstrip():
            self._goes_on = problem in ("not_json", "too_long") and text.endswith(GOES_ON)
        return problem or ("part_of_a_value" if part else ""), fields


def json_batches(
    blocks: Lines,
    wanted: Sequence[str],
    rename: Callable[[list[str]], list[str]],
    longest: int,
    declared: Sequence[Column],
    envelopes: Envelopes | None = None,
) -> Iterator[ParsedBlock]:
    """Parses one object per line, keeping each value as the text in the file.

    A number gets the decimal mark that its column declares, as its text is read with it later. An object after a line that
    is not complete is a part of that line's value, and no record.
    """
    objects = JsonObjects(wanted, rename, longest, declared, envelopes)
    records = _Lines(objects)
    for block in blocks:
        batch = ParsedBlock()
        for line in block:
            if not is_blank(line):
                records.take(line, batch)
        yield batch
    yield ParsedBlock(extra=set(objects.unknown.shown()))


def _object_fields(
    pairs: Any, known: set[str], rename: Callable[[tuple[str, ...]], list[str]]
) -> tuple[str, dict[str, Any]]:
    if not isinstance(pairs, _Pairs):
        return "not_an_object", {}
    fields = dict(zip(rename(tuple([name for name, _ in pairs])), (value for _, value in pairs), strict=True))
    if len(fields) != len(pairs):
        return "name_twice", {}
    if any(isinstance(fields[name], list) for name in known & fields.keys()):
        return "nested_value", {}
    return "", fields


class _Pairs(list[tuple[str, Any]]):
    """An object's pairs, kept as a list so that a repeated name is noticed."""


# Made once: json.loads would make one for every record.
_DECODER = json.JSONDecoder(object_pairs_hook=_Pairs, parse_float=JsonNumber, parse_int=JsonNumber, parse_constant=str)
