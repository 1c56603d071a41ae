"""JSON lines to records, each field as text; a line that cannot be read is refused with its text."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from common.sources.text_records import Lines, ParsedBlock, is_blank


def json_batches(blocks: Lines, wanted: Sequence[str]) -> Iterator[ParsedBlock]:
    """Parses one object per line, keeping each value as the text in the file."""
    known = set(wanted)
    for block in blocks:
        batch = ParsedBlock()
        for line in block:
            if is_blank(line):
                continue
            batch.lines += 1
            problem, fields = _json_object(line)
            if problem:
                batch.refuse(problem, line.removesuffix("\r"))
                continue
            batch.rows.append([fields.get(name) for name in wanted])
            batch.extra |= fields.keys() - known
        yield batch


def _json_object(line: str) -> tuple[str, dict[str, str | None]]:
    try:
        pairs = json.loads(line, object_pairs_hook=_Pairs, parse_float=str, parse_int=str, parse_constant=str)
    except (ValueError, RecursionError):
        return "not_json", {}
    if not isinstance(pairs, _Pairs):
        return "not_an_object", {}
    fields = dict(pairs)
    if len(fields) != len(pairs):
        return "name_twice", {}
    if any(isinstance(value, list) for value in fields.values()):
        return "nested_value", {}
    if "\\u" in line and not _is_text("".join(map(str, [*fields, *fields.values()]))):
        return "half_a_character", {}
    return "", {name: _as_text(value) for name, value in fields.items()}


def _is_text(value: str) -> bool:
    """False for a lone surrogate escape, which is half a character and no text."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


class _Pairs(list[tuple[str, Any]]):
    """An object's pairs, kept as a list so that a repeated name is noticed."""


def _as_text(value: Any) -> str | None:
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if value is None else str(value)
