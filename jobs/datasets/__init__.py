"""The datasets: one folder each, found by name."""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from common.contract import Contract
from common.errors import BadArguments

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

# Folders of datasets that live elsewhere, separated like PATH.
__path__ += [folder for folder in os.environ.get("DATASETS", "").split(os.pathsep) if folder]


@dataclass(frozen=True)
class Dataset:
    """A contract, and beside it the transforms, imported when Spark is needed anyway."""

    contract: Contract
    package: str

    @cached_property
    def _transforms(self) -> Any:
        return importlib.import_module(f"{self.package}.transforms")

    @property
    def derive(self) -> Callable[[DataFrame], DataFrame]:
        return self._transforms.derive  # type: ignore[no-any-return]

    @property
    def measure(self) -> Callable[[DataFrame], DataFrame]:
        return self._transforms.measure  # type: ignore[no-any-return]


def names() -> list[str]:
    found = {each.parent.name for folder in __path__ for each in Path(folder).glob("*/contract.py")}
    return sorted(found)


def load(name: str) -> Dataset:
    if name not in names():
        raise BadArguments(f"--dataset {name!r} is not known; expected one of: {', '.join(names())}")
    package = f"{__name__}.{name}"
    contract: Contract = importlib.import_module(f"{package}.contract").CONTRACT
    if contract.name != name:
        raise BadArguments(f"the folder {name!r} declares a contract named {contract.name!r}; give both one name")
    return Dataset(contract, package)
