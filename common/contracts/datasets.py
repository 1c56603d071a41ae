"""Find datasets by name: each is a folder of the package `jobs.datasets`."""

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
from common.errors import ContractDeclarationError, UsageError, require
from common.names import did_you_mean

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

PACKAGE = "jobs.datasets"


@dataclass(frozen=True)
class Dataset:
    """A contract and its transforms, which are imported on first use because they need Spark."""

    contract: Contract
    package: str

    @property
    def contract_file(self) -> Path:
        return self._file("contract")

    @property
    def transforms_file(self) -> Path:
        return self._file("transforms")

    def _file(self, module: str) -> Path:
        spec = importlib.util.find_spec(f"{self.package}.{module}")
        assert spec is not None and spec.origin is not None
        return Path(spec.origin)

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
    absent = [str(folder) for folder in folders() if not folder.is_dir()]
    if absent:
        raise UsageError(f"DATASETS names {absent}, which are no folders; name the folders that hold datasets, or none")
    return sorted({file.parent.name for folder in folders() for file in folder.glob("*/contract.py")})


def load(name: str) -> Dataset:
    if name not in names():
        raise UsageError(
            f"--dataset {name!r} is unknown; expected one of: {', '.join(names())}{did_you_mean(name, names())}"
        )
    package = f"{PACKAGE}.{name}"
    contract: Contract = importlib.import_module(f"{package}.contract").CONTRACT
    if contract.name != name:
        raise ContractDeclarationError(
            f"the folder {name!r} declares a contract named {contract.name!r}; both must have the same name"
        )
    for rule in contract.rules:
        table = suite.table_of(contract, rule.table)
        unknown = [column for column in rule.columns if column not in table.names]
        advice = did_you_mean(unknown[0], table.names) if unknown else ""
        require(
            not unknown, f"contract {name!r}: {rule.words} names {unknown}, but {table.path} has {table.names}{advice}"
        )
    return Dataset(contract, package)
