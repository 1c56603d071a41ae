"""A module that is imported once something of it is used, for libraries that import one and hardly ever need it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from types import ModuleType
from typing import Any


class _Later(ModuleType):
    """Knows nothing but its name, and asks the module itself for everything else."""

    def __getattr__(self, name: str) -> Any:
        _forget(self)
        return getattr(import_module(self.__name__), name)


@contextmanager
def imported_late(name: str) -> Iterator[None]:
    """Whatever imports that module within the block gets it later; nothing changes if it is imported already."""
    later = sys.modules.setdefault(name, _Later(name))
    try:
        yield
    finally:
        _forget(later)


def _forget(module: ModuleType) -> None:
    if isinstance(module, _Later) and sys.modules.get(module.__name__) is module:
        del sys.modules[module.__name__]
