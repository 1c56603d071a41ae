"""Find datasets by name: each is a folder of the package `jobs.datasets`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from common.contracts import suite
from common.contracts.checking import faults, source_code
from common.contracts.checking.faults import PACKAGE, folders
from common.contracts.contract import Contract
from common.contracts.lookup import find_looked_up
from common.contracts.wording import meant, rule_faults
from common.errors import UsageError, require
from common.names import NAME, did_you_mean

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

TRANSFORMS = ("derive", "measure")


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
        return faults.file_of(f"{self.package}.{module}")

    @cached_property
    def _transforms(self) -> ModuleType:
        return faults.imported(f"{self.package}.transforms")

    @property
    def derive(self) -> Callable[[DataFrame], DataFrame]:
        return self._transform("derive")

    @property
    def measure(self) -> Callable[[DataFrame], DataFrame]:
        return self._transform("measure")

    def _transform(self, name: str) -> Callable[[DataFrame], DataFrame]:
        return faults.blaming(faults.attribute(self._transforms, name))

    def require_sound(self, with_spark: bool) -> None:
        """Raise if the transforms cannot be used; without Spark they are read only, not imported."""
        if with_spark:
            for name in TRANSFORMS:
                faults.attribute(self._transforms, name)
        else:
            source_code.require_names(self.transforms_file, TRANSFORMS)


def names() -> list[str]:
    absent = [str(folder) for folder in folders() if not folder.is_dir()]
    if absent:
        raise UsageError(
            f"DATASETS names {absent}, which are not folders; name the folders that hold datasets, or none"
        )
    return sorted({file.parent.name for folder in folders() for file in folder.glob("*/contract.py")})


def load(name: str) -> Dataset:
    if name not in names():
        hint = did_you_mean(name, names())
        raise UsageError(f"--dataset {name!r} is unknown{hint}; expected one of: {', '.join(names())}")
    require_folder_name(name)
    package = f"{PACKAGE}.{name}"
    dataset = Dataset(declared_contract(name), package)
    where = faults.shown(dataset.contract_file)
    for fault in disagreements(name, dataset.contract):
        require(False, f"{where}: {fault}")
    return dataset


def require_folder_name(name: str) -> None:
    """Before anything of the folder is imported: a dot in its name would lead elsewhere."""
    folder = next(folder / name for folder in folders() if (folder / name).is_dir())
    fault = "a dataset's folder is named with lower-case letters, digits and _; rename it"
    require(bool(NAME.fullmatch(name)), f"{faults.shown(folder)}: {fault}")


def declared_contract(name: str) -> Contract:
    """The contract that a dataset's folder declares, before it is compared with the rest of the folder."""
    module = faults.imported(f"{PACKAGE}.{name}.contract")
    contract: Contract = faults.attribute(module, "CONTRACT")
    where = faults.shown(faults.file_of(module.__name__))
    require(isinstance(contract, Contract), f"{where}: CONTRACT is a {type(contract).__name__}; expected a Contract")
    find_looked_up(contract, names, declared_contract)
    return contract


def disagreements(name: str, contract: Contract) -> list[str]:
    """What a contract says that its folder's name or its tables contradict."""
    wrong = []
    if contract.name != name:
        wrong.append(f"the folder {name!r} declares a contract named {contract.name!r}; both must have the same name")
    for rule in contract.rules:
        wrong += [f"contract {name!r}: {fault}" for fault in rule_faults(rule)]
        table = suite.table_of(contract, rule.table)
        unknown = [column for column in rule.columns if column not in table.names]
        if unknown:
            hint = meant(unknown, table.names)
            wrong.append(f"contract {name!r}: {rule.words} names {unknown}, but {table.path} has {table.names}{hint}")
    return wrong
