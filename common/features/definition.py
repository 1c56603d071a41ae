"""What a feature version means: its columns in words, and the code that measures them. Changed, it is another version."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from common.contracts import layout
from common.contracts.aggregates import FeatureRatio
from common.contracts.contract import Column, Contract
from common.contracts.datasets import Dataset
from common.contracts.source_code import DECLARED, SourceCode, source_code
from common.errors import UsageError
from common.lake import delta_log
from common.runtime.run import Run


class DefinitionChangedError(UsageError):
    """Rows of two meanings would stand under one version number."""


@dataclass(frozen=True)
class Definition:
    version: int
    entity: str
    columns: dict[str, dict[str, str]]
    inputs: dict[str, str]
    transforms: dict[str, str]

    @property
    def fingerprint(self) -> str:
        said = [self.version, self.entity, self.columns, self.inputs, self.transforms]
        return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()[:16]

    @property
    def facts(self) -> dict[str, Any]:
        """As a commit's books carry it, so that a person can read later what that version did."""
        return {
            "feature_version": self.version,
            "entity": self.entity,
            "columns": self.columns,
            "inputs": self.inputs,
            "transforms": self.transforms,
            "definition": self.fingerprint,
        }


def define(dataset: Dataset) -> Definition:
    contract = dataset.contract
    features, types = contract.features, dict(layout.features(contract).columns)
    columns = {each.name: {"type": types[each.name], "words": each.rule.words} for each in features.columns}
    code = source_code(dataset.transforms_file, leave_out=DECLARED)
    return Definition(features.version, features.entity, columns, _inputs(contract, code), code.statements)


def _inputs(contract: Contract, code: SourceCode) -> dict[str, str]:
    """What the contract says of the rows that are measured: which version of a key counts, and what its values mean.

    Bounds decide which rows are refused, not what a value means: they may be mended under the same version.
    """
    features = contract.features
    read = {features.entity, contract.event_time, *contract.key, *contract.winner, *code.texts}
    for rule in (each.rule for each in features.columns):
        read |= {*rule.reads, *((rule.numerator, rule.divisor) if isinstance(rule, FeatureRatio) else ())}
    return {
        "key": ", ".join(contract.key),
        "event_time": contract.event_time or "none",
        "zone": contract.zone,
        "lateness_days": str(contract.lateness_days),
        "winner": ", ".join(contract.winner) or "none",
        **{each.name: _meaning(each) for each in (*contract.columns, *contract.derived) if each.name in read},
        **{f"measure {each.name}": each.type for each in features.measures},
    }


def _meaning(column: Column) -> str:
    said = [column.type, "lower case" * column.lower]
    said += [
        f"{what} {', '.join(found)}" for what, found in (("one of", column.values), ("as", column.formats)) if found
    ]
    return "; ".join(each for each in said if each)


def require_unchanged(run: Run) -> Definition:
    """The definition of this run's features; refused where rows of that version were made by another."""
    now = define(run.dataset)
    table = layout.features(run.contract)
    made = delta_log.newest_commit(run.path(table), "features")
    before = made.books if made else {}
    if before.get("definition", now.fingerprint) == now.fingerprint:
        return now
    raise DefinitionChangedError(
        f"{table.path} holds rows of another definition: {'; '.join(_differences(before, now.facts))}. "
        f"Declare version={now.version + 1} in the contract's Features (v{now.version} stays readable beside it), "
        "or take the change back."
    )


def require_declared(dataset: Dataset, facts: dict[str, Any], said: str) -> None:
    """What was published by another definition can't be told from the one declared now: another revision declares it."""
    now = define(dataset)
    if facts.get("definition") == now.fingerprint:
        return
    raise DefinitionChangedError(
        f"{said} was made by definition {facts.get('definition')}, but the contract now declares version {now.version} "
        f"with definition {now.fingerprint}. Check out the revision that made it, and ask again: "
        f"git checkout {facts.get('revision') or '(the publication names none)'}"
    )


def _differences(before: dict[str, Any], now: dict[str, Any]) -> list[str]:
    found = [f"{name} was {before[name]!r}, is {now[name]!r}" for name in ("entity",) if before[name] != now[name]]
    for kind in ("columns", "inputs", "transforms"):
        old, new = before.get(kind, {}), now[kind]
        found += [f"{name} is new" for name in sorted(new.keys() - old.keys())]
        found += [f"{name} is gone" for name in sorted(old.keys() - new.keys())]
        found += [
            _difference(kind, name, old[name], new[name])
            for name in sorted(old.keys() & new.keys())
            if old[name] != new[name]
        ]
    return found


def _difference(kind: str, name: str, old: Any, new: Any) -> str:
    if kind == "transforms":
        return f"the transforms do {name} otherwise"
    if kind == "inputs":
        return f'{name} was "{old}", is "{new}"'
    return f'{name} was "{old["words"]}" ({old["type"]}), is "{new["words"]}" ({new["type"]})'
