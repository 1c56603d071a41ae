"""What the working tree changes against a revision of the repository: which datasets' days it makes stale. Reads no lake."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from common.contracts import datasets
from common.contracts.contract import Contract
from common.contracts.datasets import Dataset
from common.errors import UsageError
from common.features import definition
from common.orchestration.stages import STEPS
from common.planning.code_changes import DatasetCode, differences, engine_version_at, folder_at, holds
from common.runtime import code_version


@dataclass(frozen=True)
class EarlierDataset(Dataset):
    """A dataset as it was, in a folder of its own."""

    folder: Path

    @property
    def contract_file(self) -> Path:
        return self.folder / "contract.py"

    @property
    def transforms_file(self) -> Path:
        return self.folder / "transforms.py"


@dataclass(frozen=True)
class DatasetChange:
    dataset: str
    changes: tuple[str, ...]
    before: int | None = None  # the feature version; None for a new dataset
    now: int = 1
    meaning: tuple[str, ...] = ()  # how the features are defined otherwise
    rows_differ: bool = True  # whether the steps before the features are run again

    @property
    def breaking(self) -> bool:
        """Whether the features of one version would have two definitions, which a backfill refuses."""
        return bool(self.meaning) and self.before == self.now

    @property
    def steps(self) -> list[str]:
        """The steps that every day runs again."""
        steps = [*STEPS] if self.rows_differ else [*STEPS][[*STEPS].index("features") :]
        return steps if self.before != self.now else steps[:-1]


def changes_since(revision: str, names: Sequence[str]) -> list[DatasetChange]:
    """The datasets whose days a merge of the working tree would make stale."""
    found = [_change(revision, datasets.load(name)) for name in names]
    return [change for change in found if change.changes]


def _change(revision: str, dataset: Dataset) -> DatasetChange:
    now = DatasetCode.of(dataset.contract_file, dataset.transforms_file)
    engine = engine_version_at(revision)
    version = dataset.contract.features.version
    if not holds(revision, dataset.contract_file.parent):
        return DatasetChange(dataset.contract.name, ("the dataset is new",), None, version)
    with folder_at(revision, dataset.contract_file.parent) as folder:
        earlier = EarlierDataset(_contract(folder), dataset.package, folder)
        before = DatasetCode.of(earlier.contract_file, earlier.transforms_file)
        meaning = tuple(definition.differences(earlier, dataset))
        earlier_version = earlier.contract.features.version
        rows = before.before_features(earlier.contract, engine)
    changes = differences(before, now)
    if engine != code_version.ENGINE_VERSION:
        changes.append(f"the engine's version was {engine}, is {code_version.ENGINE_VERSION}")
    rows_differ = rows != now.before_features(dataset.contract, code_version.ENGINE_VERSION)
    return DatasetChange(dataset.contract.name, tuple(changes), earlier_version, version, meaning, rows_differ)


def _contract(folder: Path) -> Contract:
    """Runs the declaration of that revision."""
    spec = importlib.util.spec_from_file_location(f"{folder.name}_earlier", folder / "contract.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
        contract: Contract = module.CONTRACT
    except Exception as error:
        raise UsageError(f"the contract of {folder.name} at that revision can't be loaded now: {error}") from error
    return contract


def shown(revision: str, changes: Sequence[DatasetChange]) -> Iterator[str]:
    """In Markdown, for a comment on a pull request."""
    if not changes:
        yield f"No day becomes stale: nothing that decides rows has changed since {revision}."
    for change in changes:
        yield f"**{change.dataset}**: {_effect(change)}"
        yield ""
        yield from (f"- {words}" for words in change.changes)
        if change.meaning and not change.breaking:
            yield from (f"- features v{change.now}: {words}" for words in change.meaning)
        yield ""


def _effect(change: DatasetChange) -> str:
    again = f"every day runs {change.steps[0]} to {change.steps[-1]} again"
    if change.before is None:
        return "new; its days run for the first time"
    if change.breaking:
        return (
            f"**breaking**, and a backfill refuses it: {'; '.join(change.meaning)}. "
            f"Declare version={change.now + 1} in the contract's Features"
        )
    if change.before != change.now:
        return f"features v{change.now} is new, and v{change.before} stays readable; {again}"
    return f"not breaking, the features of v{change.now} are defined as before; {again}, and publishes what differs"


def facts(revision: str, changes: Sequence[DatasetChange]) -> dict[str, Any]:
    return {
        "since_revision": revision,
        "datasets": [
            {
                "dataset": change.dataset,
                "breaking": change.breaking,
                "feature_versions": [change.before, change.now],
                "changes": list(change.changes),
                "meaning": list(change.meaning),
                "steps": change.steps,
            }
            for change in changes
        ],
    }
