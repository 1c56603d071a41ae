"""Every training set that was built: its versions with splits and inputs, and the fitted steps of the newest."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from common.console.grid import Facts, safe
from common.contracts.sensitive import MASK
from common.lake.storage.files import list_folders
from common.lake.training_manifests import FOLDER, manifests
from common.names import NAME
from common.training import steps

LONGEST = 240


def all_manifests(lake: str) -> list[dict[str, Any]]:
    names = [name for name in list_folders(f"{lake}/{FOLDER}") if NAME.fullmatch(name)]
    return [manifest for name in names for manifest in manifests(lake, name)]


def training_facts(built: Sequence[Mapping[str, Any]], sensitive: frozenset[str]) -> list[Facts]:
    """`sensitive` are the columns, of any table, whose values a fitted step must not show."""
    names = dict.fromkeys(str(manifest["name"]) for manifest in built)
    return [_training_set([one for one in built if one["name"] == name], sensitive) for name in names]


def _training_set(versions: Sequence[Mapping[str, Any]], sensitive: frozenset[str]) -> Facts:
    newest = versions[-1]
    fitted = json.loads(newest["fitted"])["steps"]
    return {
        "name": safe(newest["name"]),
        "description": safe(newest.get("description", "")),
        "declared": safe(newest.get("declared", "")),
        "steps": [_step(step, sensitive) for step in fitted],
        "versions": [_version(manifest) for manifest in reversed(versions)],
    }


def _step(step: Mapping[str, Any], sensitive: frozenset[str]) -> list[str]:
    declared = json.dumps(step["declared"], ensure_ascii=False)
    hidden = any(name in declared for name in sensitive)
    fitted = MASK if hidden else json.dumps(step["fitted"], ensure_ascii=False)
    shown = [text if len(text) <= LONGEST else f"{text[:LONGEST]} …" for text in (step["step"], declared, fitted)]
    return [*map(safe, shown), _words(step["step"])]


def _words(step: str) -> str:
    """What it does with values, the missing ones too."""
    return " ".join(str(getattr(steps, step).__doc__).split()) if step in steps.__all__ else ""


def _version(manifest: Mapping[str, Any]) -> Facts:
    inputs = manifest["inputs"]
    return {
        "version": manifest["version"],
        "at": manifest["created_at"][:16],
        "days": inputs["days"],
        "tables": safe(inputs["versions"]),
        "pins": safe(inputs.get("pins", [])),
        "counts": manifest["counts"],
        "splits": {name: [split["rows"], split["hash"]] for name, split in manifest["splits"].items()},
        "run": str(manifest.get("run_id", ""))[:12],
        "revision": str(manifest.get("revision") or "")[:12],
    }
