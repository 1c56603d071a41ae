"""The manifests of training sets: which versions were built, and from what."""

from __future__ import annotations

import json
from typing import Any

from common.errors import PipelineError, SourceMissingError
from common.lake.storage.files import list_folders, read_json
from common.names import require_name
from common.runtime.submit_command import spark_submit

FOLDER = "training_sets"
# What a manifest holds, as far as it holds it.
TYPES = {"name": str, "created_at": str, "inputs": dict, "counts": dict, "splits": dict, "fitted": str}


def place(lake: str, name: str, version: int) -> str:
    return f"{_folder(lake, name)}/v{version}"


def _folder(lake: str, name: str) -> str:
    return f"{lake}/{FOLDER}/{require_name(name, 'a training set')}"


def manifests(lake: str, name: str) -> list[dict[str, Any]]:
    """Return the manifests of all completely built versions, oldest first."""
    folder = _folder(lake, name)
    places = [f"{folder}/{version}/manifest.json" for version in list_folders(folder)]
    contents = [(place, content) for place in places if (content := read_json(place))]
    for place, content in contents:
        if not _is_manifest(content):
            raise PipelineError(
                f"{place} is no manifest; bring it back from a copy, or remove its folder and build the set anew"
            )
    return sorted((content for _, content in contents), key=lambda content: int(content["version"]))


def _is_manifest(content: dict[str, Any]) -> bool:
    try:
        fitted = json.loads(content.get("fitted", "{}"))
    except (TypeError, ValueError, RecursionError):
        return False
    typed = all(isinstance(content.get(name, type_()), type_) for name, type_ in TYPES.items())
    return typed and isinstance(fitted, dict) and isinstance(content.get("version"), int)


def manifest(lake: str, name: str, version: int | None = None) -> dict[str, Any]:
    """Return the manifest of that version, or of the newest."""
    by_version = {content["version"]: content for content in manifests(lake, name)}
    chosen = max(by_version, default=None) if version is None else version
    if chosen not in by_version:
        raise SourceMissingError(
            f"training set {name} v{chosen or '?'} is not in {lake}; there are: {sorted(by_version) or 'none'}. Build it with: "
            f"{spark_submit('training_set', '…', 'A..B', name=name)}"
        )
    return by_version[chosen]
