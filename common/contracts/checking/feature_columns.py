"""The code of a dataset without its feature columns: the steps before the features make the same rows whatever they are."""

from __future__ import annotations

import ast
import re

from common.contracts.checking.source_code import DECLARED, SourceCode

COLUMNS = ("version", "columns")
# A statement that reads the contract, or a name for a value in it, may make rows of the columns.
READS_CONTRACT = re.compile(rf"\b{DECLARED}\b|:=")


def before_features(contract: SourceCode, transforms: SourceCode) -> list[dict[str, str]]:
    """The statements of both modules; with the feature columns, unless these clearly decide features alone."""
    whole = [contract.statements, transforms.statements]
    declared = contract.statements.get(DECLARED, "")
    others = [
        {name: text for name, text in each.items() if name not in (DECLARED, f"contract.{DECLARED}")} for each in whole
    ]
    if ":=" in declared or any(READS_CONTRACT.search(text) for each in others for text in each.values()):
        return whole
    return [{**others[0], DECLARED: _without_columns(declared)}, others[1]]


def _without_columns(declared: str) -> str:
    tree = ast.parse(declared)
    for node in ast.walk(tree):
        if isinstance(node, ast.keyword) and node.arg == "features" and _is_table(node.value):
            node.value.keywords = [each for each in node.value.keywords if each.arg not in COLUMNS]  # type: ignore[attr-defined]
    return ast.unparse(tree)


def _is_table(value: ast.expr) -> bool:
    return isinstance(value, ast.Call) and isinstance(value.func, ast.Name) and value.func.id == "Features"
