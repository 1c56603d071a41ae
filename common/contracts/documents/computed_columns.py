"""Which columns `derive` and `measure` compute a column from, read from their code without running it."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from common.contracts.checking.source_code import parsed


@dataclass(frozen=True)
class Computation:
    reads: tuple[str, ...]
    words: str


def computation(file: Path, function: str, column: str, known: Collection[str]) -> Computation:
    """The expression of the column if the function says `withColumn(column, …)` or `….alias(column)`, else all it names."""
    body = next(node for node in parsed(file).body if isinstance(node, ast.FunctionDef) and node.name == function)
    expression = next(_expressions(body, column), None)
    words = ast.unparse(expression) if expression else f"computed by {function}"
    named = {name for node in ast.walk(expression or body) if (name := _name(node)) in known and name != column}
    return Computation(tuple(sorted(named)), words)


def _expressions(body: ast.FunctionDef, column: str) -> Iterator[ast.expr]:
    for node in ast.walk(body):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute) or not node.args:
            continue
        first = node.args[0]
        if node.func.attr == "withColumn" and _name(first) == column and len(node.args) > 1:
            yield node.args[1]
        elif node.func.attr == "withColumns" and isinstance(first, ast.Dict):
            yield from (value for key, value in zip(first.keys, first.values, strict=True) if _name(key) == column)
        elif node.func.attr == "alias" and _name(first) == column:
            yield node.func.value


def _name(node: ast.AST | None) -> str:
    """The column that a constant or an attribute may name."""
    if isinstance(node, ast.Constant):
        return str(node.value)
    return node.attr if isinstance(node, ast.Attribute) else ""
