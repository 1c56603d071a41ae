"""What a dataset's transforms.py does, as text: what it defines, and what the modules beside it define that it imports."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

# Of the contract the definition itself says what matters; the rest may change under the same version.
DECLARED = "CONTRACT"


@dataclass(frozen=True)
class Transforms:
    """Each statement by what it defines, without comments, layout and docstrings; and every text that stands in them."""

    statements: dict[str, str]
    texts: frozenset[str]


def transforms_of(file: Path) -> Transforms:
    statements: dict[str, str] = {}
    texts: set[str] = set()
    for module in _modules(file):
        prefix = "" if module == file else f"{module.stem}."
        for node in ast.parse(module.read_text(encoding="utf-8")).body:
            name = _name(node)
            if isinstance(node, ast.Import | ast.ImportFrom) or _is_docstring(node) or name == DECLARED:
                continue
            text = ast.unparse(_undocumented(node))
            texts |= {str(each.value) for each in ast.walk(node) if isinstance(each, ast.Constant)}
            # What is defined twice is defined by both.
            statements[prefix + name] = "\n".join(filter(None, [statements.get(prefix + name), text]))
    return Transforms(statements, frozenset(texts))


def _modules(file: Path) -> list[Path]:
    """The file, and those beside it that it imports, or that these import."""
    found = [file]
    for module in found:
        tree = ast.parse(module.read_text(encoding="utf-8"))
        beside = {file.parent / f"{name}.py" for node in ast.walk(tree) for name in _imported(node, file.parent.name)}
        found += sorted(each for each in beside - {*found} if each.exists())
    return found


def _imported(node: ast.AST, folder: str) -> Iterator[str]:
    """The names of modules of that folder: `from jobs.datasets.visits.rates import RATE`, `from .rates import RATE`."""
    if isinstance(node, ast.Import):
        yield from (_beside(each.name, folder) for each in node.names)
    elif isinstance(node, ast.ImportFrom):
        yield node.module or "" if node.level else _beside(node.module or "", folder)
        # The module itself: `from . import rates`.
        yield from (each.name for each in node.names)


def _beside(module: str, folder: str) -> str:
    return module.rpartition(f".{folder}.")[2].partition(".")[0] if f".{folder}." in module else ""


def _name(node: ast.stmt) -> str:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return node.name
    return ast.unparse(node).partition("=")[0].partition(":")[0].strip()


def _undocumented(node: ast.stmt) -> ast.stmt:
    for each in ast.walk(node):
        if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and _is_docstring(each.body[0]):
            each.body = each.body[1:] or [ast.Pass()]
    return node


def _is_docstring(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
