"""What a plan reads that is sent to a Spark Connect server; its relations are messages there, and its SQL is only text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

# Messages that hold no data, or are SQL; and how the lines of an analysed plan begin that hold none.
NO_DATA = ("range", "sql")
NO_DATA_LINES = ("OneRowRelation", "Range ")
# Words without which SQL reads no table.
READS = re.compile(r"\b(select|from|table)\b", re.IGNORECASE)
LENGTH = "spark.sql.maxPlanStringLength"
ANALYSED = re.compile(r"== Analyzed Logical Plan ==\n(.*?)\n\n?== Optimized Logical Plan ==", re.DOTALL)


def foreign_relation(returned: DataFrame, given: DataFrame) -> str:
    """The relation that the returned rows are read from besides the given ones; empty if there is none."""
    relation = _message(returned)
    if foreign := next(_leaves(relation, _message(given).common.plan_id), None):
        return _in_words(foreign)
    if not any(READS.search(text) for text in _sql(relation)):
        return ""
    known = {*_analysed_leaves(given)}
    return next((leaf for leaf in _analysed_leaves(returned) if leaf not in known), "")


def _message(rows: Any) -> Any:
    return rows._plan.to_proto(rows.sparkSession.client).root


def _leaves(message: Any, known: int) -> Iterator[Any]:
    """The relations that read data, wherever they stand: a subquery is part of an expression."""
    relation = message.DESCRIPTOR.name == "Relation"
    if relation and (message.common.plan_id == known or message.WhichOneof("rel_type") in NO_DATA):
        return
    inner = [part for part in _below(message) if part.DESCRIPTOR.name == "Relation"]
    if relation and not inner:
        yield message
    for part in inner:
        yield from _leaves(part, known)


def _sql(message: Any) -> list[str]:
    parts = [*_below(message, through=True)]
    texts = {"ExpressionString": "expression", "SQL": "query"}
    return [getattr(part, texts[part.DESCRIPTOR.name]) for part in parts if part.DESCRIPTOR.name in texts]


def _below(message: Any, through: bool = False) -> Iterator[Any]:
    """The messages in it, down to the next relations, or through them."""
    for field, value in message.ListFields():
        if field.message_type is None or field.message_type.GetOptions().map_entry:
            continue
        for part in [value] if hasattr(value, "DESCRIPTOR") else value:
            yield part
            if through or part.DESCRIPTOR.name != "Relation":
                yield from _below(part, through)


def _in_words(relation: Any) -> str:
    kind = relation.WhichOneof("rel_type")
    if kind != "read":
        return str(kind).replace("_", " ")
    read = relation.read
    return read.named_table.unparsed_identifier or " ".join([read.data_source.format, *read.data_source.paths]).strip()


def _analysed_leaves(rows: Any) -> Iterator[str]:
    """As text, without the ids of columns, which each analysis gives anew."""
    client, conf = rows.sparkSession.client, rows.sparkSession.conf
    before = conf.get(LENGTH)
    conf.set(LENGTH, "1000000")
    found = ANALYSED.search(client.explain_string(rows._plan.to_proto(client), "extended"))
    conf.set(LENGTH, before)
    lines = found[1].splitlines()[1:] if found else []  # after the schema
    for line, following in pairwise([*lines, ""]):
        node = line.lstrip(" :+-")
        deeper = len(following) - len(following.lstrip(" :+-")) > len(line) - len(node)
        if not deeper and not node.startswith(NO_DATA_LINES):
            yield re.sub(r"#\d+L?", "", node)
