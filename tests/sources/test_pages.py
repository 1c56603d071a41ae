"""What the pages of the sources show can be declared as it stands there: whole blocks, and the code within their sentences."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import textwrap
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from common.contracts import datasets
from common.contracts.column import Column
from common.contracts.contract import Contract, Feature
from common.contracts.declared_source import DeclaredSource
from common.contracts.lookup import Lookup
from common.sources import declared
from common.sources.http.paging import ByCursor, ByLink, ByOffset, ByPage
from common.sources.rows import RowSource

FOLDER = Path(declared.__file__).parent
PAGES = {str(page.relative_to(FOLDER)): page.read_text(encoding="utf-8") for page in sorted(FOLDER.rglob("*.md"))}
BLOCK = re.compile(r"```(\w+)\n(.*?)```", re.DOTALL)
BLOCKS = [(page, text) for page, whole in PAGES.items() for kind, text in BLOCK.findall(whole) if kind == "python"]
SPANS = [
    (page, " ".join(span.split()))
    for page, whole in PAGES.items()
    for span in re.findall(r"`([^`]+)`", BLOCK.sub("", whole))
]
BESIDE = (Column, Contract, Feature, Lookup, ByCursor, ByLink, ByOffset, ByPage)
IMPORTS = next(text for page, text in BLOCKS if page == "README.md")


def shown() -> dict[str, Any]:
    """What a reader of the pages has at hand."""
    names: dict[str, Any] = {each.__name__: each for each in BESIDE}
    exec(IMPORTS + next(text for page, text in BLOCKS if page == "own_source.md"), names)
    return names


NAMES = shown()
DECLARED = {
    field.name for each in [*NAMES.values()] if isinstance(each, type) and is_dataclass(each) for field in fields(each)
}


def contract_of(source: DeclaredSource) -> Contract:
    """Of events; of a snapshot, where the source holds whole days or changes."""
    events, snapshot = (datasets.load(name).contract for name in ("mentions", "churn"))
    fits = isinstance(source, NAMES["DeltaFeed"]) or getattr(source, "changes", None) or source.misfit(events)
    return replace(snapshot if fits else events, source=source)


def parsed(span: str) -> ast.expr | None:
    try:
        return ast.parse(span, mode="eval").body
    except SyntaxError:
        return None


def calls() -> list[tuple[str, str]]:
    return [(page, span) for page, span in SPANS if isinstance(parsed(span), ast.Call)]


def unknown_in(code: str) -> str:
    """What a linter says of names that nothing defines, also within functions."""
    linter = [sys.executable, "-m", "ruff", "check", "--isolated", "--quiet", "--select", "F821,E9", "-"]
    return subprocess.run(linter, input=code, capture_output=True, text=True, check=False).stdout


@pytest.mark.parametrize(("page", "text"), BLOCKS)
def test_each_block_of_a_page_runs_as_it_stands(page: str, text: str) -> None:
    code, names = textwrap.dedent(text), dict(NAMES)
    assert not unknown_in(IMPORTS + code)
    for statement in ast.parse(code).body:
        exec(compile(ast.Module([statement], []), page, "exec"), names)
        if isinstance(source := names.pop("source", None), DeclaredSource):
            assert contract_of(source).source == source


@pytest.mark.parametrize(("page", "span"), calls())
def test_each_call_in_a_sentence_is_one_that_exists(page: str, span: str) -> None:
    call = parsed(span)
    assert isinstance(call, ast.Call) and isinstance(call.func, ast.Name)
    if call.func.id.islower():
        assert hasattr(RowSource, call.func.id)
        return
    named = NAMES[call.func.id]
    assert {keyword.arg for keyword in call.keywords} <= {field.name for field in fields(named)}
    if named not in (Column, Contract):  # of these, the pages show a part
        made = eval(span, dict(NAMES))
        assert not isinstance(made, DeclaredSource) or contract_of(made).source == made


@pytest.mark.parametrize(("page", "span"), [pair for pair in SPANS if re.fullmatch(r"[a-z_]+=.+", pair[1])])
def test_each_argument_in_a_sentence_is_declared_somewhere(page: str, span: str) -> None:
    call = parsed(f"named({span})")
    assert isinstance(call, ast.Call) and {keyword.arg for keyword in call.keywords} <= DECLARED
    for name in (node.id for node in ast.walk(call) if isinstance(node, ast.Name)):
        assert name in {"named", *NAMES}


def test_the_first_page_shows_every_source() -> None:
    made = {span.partition("(")[0] for page, span in calls() if page == "README.md"}
    assert {"Files", *declared.SOURCES} <= made


def test_a_page_of_an_unknown_name_is_refused() -> None:
    assert "Undefined name `postgres`" in unknown_in("def read(period):\n    return postgres(period)\n")
