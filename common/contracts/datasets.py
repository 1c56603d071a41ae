"""The datasets by name: each is a folder of the package `jobs.datasets`."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from common.contracts import suite
from common.contracts.contract import Contract
from common.errors import BadArguments, ContractContradiction, insist

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from common.training.training_set import TrainingSet

PACKAGE = "jobs.datasets"


@dataclass(frozen=True)
class Dataset:
    """A contract, and beside it the transforms, imported when Spark is needed anyway."""

    contract: Contract
    package: str

    @property
    def transforms_file(self) -> Path:
        found = importlib.util.find_spec(f"{self.package}.transforms")
        assert found is not None and found.origin is not None
        return Path(found.origin)

    def training_set(self, name: str) -> TrainingSet:
        """As the dataset's own training.py declares it."""
        found = {each.name: each for each in self._training_sets()}
        if name not in found:
            raise BadArguments(
                f"{self.contract.name} declares no training set {name!r}; expected one of: {', '.join(found)}"
            )
        return found[name]

    def _training_sets(self) -> tuple[TrainingSet, ...]:
        if not importlib.util.find_spec(f"{self.package}.training"):
            return ()
        found: tuple[TrainingSet, ...] = importlib.import_module(f"{self.package}.training").TRAINING_SETS
        return found

    @cached_property
    def _transforms(self) -> Any:
        return importlib.import_module(f"{self.package}.transforms")

    @property
    def derive(self) -> Callable[[DataFrame], DataFrame]:
        return self._transforms.derive  # type: ignore[no-any-return]

    @property
    def measure(self) -> Callable[[DataFrame], DataFrame]:
        return self._transforms.measure  # type: ignore[no-any-return]


def folders() -> list[Path]:
    return [Path(folder) for folder in importlib.import_module(PACKAGE).__path__]


def names() -> list[str]:
    return sorted({found.parent.name for folder in folders() for found in folder.glob("*/contract.py")})


def load(name: str) -> Dataset:
    if name not in names():
        raise BadArguments(f"--dataset {name!r} is not known; expected one of: {', '.join(names())}")
    package = f"{PACKAGE}.{name}"
    contract: Contract = importlib.import_module(f"{package}.contract").CONTRACT
    if contract.name != name:
        raise ContractContradiction(
            f"the folder {name!r} declares a contract named {contract.name!r}; give both one name"
        )
    for rule in contract.rules:
        table = suite.table_of(contract, rule.table)
        unknown = [column for column in rule.columns if column not in table.names]
        insist(not unknown, f"contract {name!r}: {rule.words} names {unknown}, but {table.path} has {table.names}")
    return Dataset(contract, package)
