"""What a feature version means: its columns in words, and the code that measures them. Changed, it is another version."""

from __future__ import annotations

import ast
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from common import history, layout
from common.datasets import Dataset
from common.errors import BadArguments
from common.run import Run


class DefinitionChanged(BadArguments):
    """Rows of two meanings would stand under one version number."""


@dataclass(frozen=True)
class Definition:
    version: int
    entity: str
    columns: dict[str, dict[str, str]]
    transforms: dict[str, str]

    @property
    def fingerprint(self) -> str:
        said = [self.version, self.entity, self.columns, self.transforms]
        return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()[:16]

    @property
    def facts(self) -> dict[str, Any]:
        """As a commit's books carry it."""
        return {
            "feature_version": self.version,
            "entity": self.entity,
            "columns": self.columns,
            "transforms": self.transforms,
            "definition": self.fingerprint,
        }


def define(dataset: Dataset) -> Definition:
    features = dataset.contract.features
    types = dict(layout.features(dataset.contract).columns)
    columns = {each.name: {"type": types[each.name], "words": each.rule.words} for each in features.columns}
    return Definition(features.version, features.entity, columns, _functions(dataset.transforms_file))


def _functions(file: Path) -> dict[str, str]:
    """Every statement of the transforms by what it defines, hashed without comments, layout and docstrings."""
    found = {}
    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Import | ast.ImportFrom) or _is_docstring(node):
            continue
        if isinstance(node, ast.FunctionDef) and _is_docstring(node.body[0]):
            node.body = node.body[1:]
        name = node.name if isinstance(node, ast.FunctionDef) else ast.unparse(node).partition("=")[0].strip()
        found[name] = hashlib.sha256(ast.dump(node).encode()).hexdigest()[:16]
    return found


def _is_docstring(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def insist_unchanged(run: Run) -> Definition:
    """The definition of this run's features; refused where rows of that version were made by another."""
    now = define(run.dataset)
    table = layout.features(run.contract)
    made = history.newest(run.path(table), "features")
    before = made.books if made else {}
    if before.get("definition", now.fingerprint) == now.fingerprint:
        return now
    raise DefinitionChanged(
        f"{table.path} holds rows of another definition: {'; '.join(_differences(before, now.facts))}. "
        f"Declare version={now.version + 1} in the contract's Features (v{now.version} stays readable beside it), "
        "or take the change back."
    )


def insist_declared(dataset: Dataset, facts: dict[str, Any], said: str) -> None:
    """What was published by another definition can't be told from the one declared now: another revision declares it."""
    now = define(dataset)
    if facts.get("definition") == now.fingerprint:
        return
    raise DefinitionChanged(
        f"{said} was made by definition {facts.get('definition')}, but the contract now declares version {now.version} "
        f"with definition {now.fingerprint}. Check out the revision that made it, and ask again: "
        f"git checkout {facts.get('revision') or '(the publication names none)'}"
    )


def _differences(before: dict[str, Any], now: dict[str, Any]) -> list[str]:
    found = [f"{name} was {before[name]!r}, is {now[name]!r}" for name in ("entity",) if before[name] != now[name]]
    for kind in ("columns", "transforms"):
        old, new = before[kind], now[kind]
        found += [f"{name} is new" for name in sorted(new.keys() - old.keys())]
        found += [f"{name} is gone" for name in sorted(old.keys() - new.keys())]
        found += [
            _difference(name, old[name], new[name])
            for name in sorted(old.keys() & new.keys())
            if old[name] != new[name]
        ]
    return found


def _difference(name: str, old: Any, new: Any) -> str:
    if isinstance(old, str):
        return f"transforms.py does {name} otherwise"
    return f'{name} was "{old["words"]}" ({old["type"]}), is "{new["words"]}" ({new["type"]})'
