"""The definition of a feature version: its columns in words, and the code that computes them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from common.contracts import layout
from common.contracts.checking.source_code import DECLARED, SourceCode, source_code
from common.contracts.contract import Contract
from common.contracts.datasets import Dataset
from common.contracts.entity import DROP
from common.contracts.rhythm import LATENESS
from common.days import DAY
from common.errors import UsageError
from common.lake.log import delta_log
from common.runtime.code_version import fingerprint_of
from common.runtime.run import Run


class DefinitionChangedError(UsageError):
    """Rows of two definitions would share one version number."""


@dataclass(frozen=True)
class Definition:
    version: int
    entity: str
    columns: dict[str, dict[str, str]]
    inputs: dict[str, str]
    transforms: dict[str, str]

    @property
    def fingerprint(self) -> str:
        parts = [self.version, self.entity, self.columns, self.inputs, self.transforms]
        return fingerprint_of(parts)

    @property
    def facts(self) -> dict[str, Any]:
        """Return the fields for the commit's books, so that people can later read what the version computed."""
        return {
            "feature_version": self.version,
            "entity": self.entity,
            "columns": self.columns,
            "inputs": self.inputs,
            "transforms": self.transforms,
            "definition": self.fingerprint,
        }


def define(dataset: Dataset) -> Definition:
    """Return the definition that the contract and the transforms declare now."""
    contract = dataset.contract
    features, types = contract.features, dict(layout.features(contract).columns)
    columns = {column.name: {"type": types[column.name], "words": column.rule.words} for column in features.columns}
    code = source_code(dataset.transforms_file, leave_out=DECLARED)
    return Definition(features.version, features.entity, columns, _inputs(contract, code), code.statements)


def _inputs(contract: Contract, code: SourceCode) -> dict[str, str]:
    """Return the parts of the contract that define the input rows: which record of a key wins, and what values mean.

    Bounds are left out, because they only decide which rows are quarantined: they may change under the same version.
    """
    features = contract.features
    read = {features.entity, contract.event_time, *contract.key, *contract.winner, *code.texts, *features.reads}
    return {
        "key": ", ".join(contract.key),
        "event_time": contract.event_time or "none",
        "zone": contract.zone,
        LATENESS[contract.every]: str(contract.lateness),
        "winner": ", ".join(contract.winner) or "none",
        **{column.name: column.meaning for column in (*contract.columns, *contract.derived) if column.name in read},
        **{f"measure {measure.name}": measure.type for measure in features.measures},
        **({"every": contract.every} if contract.every != DAY else {}),
        **({"null_entity": contract.null_entity} if contract.null_entity == DROP else {}),
    }


def require_unchanged(run: Run) -> Definition:
    """Return the definition of this run's features; raise if the stored rows of that version have another one."""
    now = define(run.dataset)
    table = layout.features(run.contract)
    commit = delta_log.newest_commit(run.path(table), "features")
    before = commit.books if commit else {}
    if before.get("definition", now.fingerprint) == now.fingerprint:
        return now
    raise DefinitionChangedError(
        f"{table.path} holds rows of another definition than the one declared now: "
        f"{'; '.join(differing_facts(before, now.facts))}. Declare version={now.version + 1} in the contract's Features "
        f"(v{now.version} stays readable), or revert the change."
    )


def changes_since(run: Run, version: int) -> list[str]:
    """In words, how the definition declared now differs from that of another version's rows; nothing if there are none."""
    path = layout.features_path(run.contract.name, version)
    commit = delta_log.newest_commit(f"{run.settings.lake}/{path}", "features")
    return differing_facts(commit.books, define(run.dataset).facts) if commit and "definition" in commit.books else []


def differences(before: Dataset, now: Dataset) -> list[str]:
    """In words, how one dataset's features are defined otherwise than another's."""
    return differing_facts(define(before).facts, define(now).facts)


def require_declared(dataset: Dataset, facts: dict[str, Any], subject: str) -> None:
    """Raise if the published rows that `subject` names have another definition than the one declared now."""
    now = define(dataset)
    if facts.get("definition") == now.fingerprint:
        return
    raise DefinitionChangedError(
        f"{subject} was made by definition {facts.get('definition')}, but the contract now declares version "
        f"{now.version} with definition {now.fingerprint}. Check out the revision that made it and try again: "
        f"git checkout {facts.get('revision') or '(unknown: the publication does not record it)'}"
    )


def differing_facts(before: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """In words, how the definitions in the books of two commits differ."""
    differences = []
    if before["entity"] != now["entity"]:
        differences.append(f"entity was {before['entity']!r}, is {now['entity']!r}")
    for kind in ("columns", "inputs", "transforms"):
        old, new = before.get(kind, {}), now[kind]
        differences += [f"{name} is new" for name in sorted(new.keys() - old.keys())]
        differences += [f"{name} was removed" for name in sorted(old.keys() - new.keys())]
        differences += [
            _difference(kind, name, old[name], new[name])
            for name in sorted(old.keys() & new.keys())
            if old[name] != new[name]
        ]
    return differences


def _difference(kind: str, name: str, old: Any, new: Any) -> str:
    if kind == "transforms":
        return f"the code of {name} changed in the transforms"
    if kind == "inputs":
        return f'{name} was "{old}", is "{new}"'
    return f'{name} was "{old["words"]}" ({old["type"]}), is "{new["words"]}" ({new["type"]})'
