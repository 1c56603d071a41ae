"""The examples in the docstrings of the reader's API, run on a tiny published table."""

import doctest
import inspect
from pathlib import Path
from types import ModuleType

import pytest

from common import published
from common.published import catalog, view
from common.published.catalog import FeatureTable, Lake
from common.published.view import Selection, Version, View
from tests.published.test_catalog import FIRST, SECOND
from tests.support.published_tables import publish


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A working directory with data/lake in it."""
    publish(tmp_path / "data/lake", FIRST, at="2026-02-01T06:00")
    publish(tmp_path / "data/lake", SECOND, at="2026-02-02T06:00")
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("module", [published, catalog, view])
@pytest.mark.usefixtures("here")
def test_the_examples_show_what_they_print(module: ModuleType) -> None:
    known = {**vars(module), "view": Lake("data/lake").features("purchases").at()}
    done = doctest.testmod(module, globs=known)
    assert done.attempted
    assert not done.failed


@pytest.mark.parametrize("one", [Lake, FeatureTable, View])
def test_every_method_has_an_example(one: type) -> None:
    methods = [name for name, member in vars(one).items() if inspect.isfunction(member) and not name.startswith("_")]
    without = {name for name in methods if ">>>" not in (inspect.getdoc(getattr(one, name)) or "")}
    assert without == set()


@pytest.mark.parametrize("one", [Lake, FeatureTable, View, Version, Selection])
def test_every_class_has_an_example(one: type) -> None:
    assert ">>>" in (one.__doc__ or "")
