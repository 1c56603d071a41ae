"""What the page of the sources shows can be declared as it stands there."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from common.contracts import datasets
from common.contracts.contract import Contract
from common.contracts.declared_source import DeclaredSource
from common.sources import declared

PAGE = (Path(declared.__file__).parent / "README.md").read_text(encoding="utf-8")
ROWS = [line.strip("| ").rsplit(" | ", 1)[1] for line in PAGE.splitlines() if line.startswith("| ")][2:]
DECLARATIONS = [text for row in ROWS for text in re.findall(r"`([^`]+)`", row) if "Meters" not in text]


def imported() -> dict[str, Any]:
    [code] = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    names: dict[str, Any] = {}
    exec(code, names)
    return names


def contract_of(source: DeclaredSource) -> Contract:
    """Of events; of a snapshot, where the source holds whole days or changes."""
    events, snapshot = (datasets.load(name).contract for name in ("mentions", "churn"))
    fits = isinstance(source, imported()["DeltaFeed"]) or getattr(source, "changes", None) or source.misfit(events)
    return replace(snapshot if fits else events, source=source)


@pytest.mark.parametrize("text", DECLARATIONS)
def test_each_declaration_of_the_page_is_one_of_a_contract(text: str) -> None:
    source = eval(text, imported())
    assert contract_of(source).source == source


def test_the_page_shows_every_source() -> None:
    shown = {type(eval(text, imported())).__name__ for text in DECLARATIONS}
    assert shown == {"Files", *declared.SOURCES}
