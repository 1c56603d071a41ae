"""The manifests of training sets: which versions were built, and from what."""

from __future__ import annotations

from typing import Any

from common.errors import SourceMissingError
from common.lake.files import list_folders, read_json
from common.names import require_name
from common.runtime.submit_command import spark_submit

FOLDER = "training_sets"


def place(lake: str, name: str, version: int) -> str:
    return f"{_folder(lake, name)}/v{version}"


def _folder(lake: str, name: str) -> str:
    return f"{lake}/{FOLDER}/{require_name(name, 'a training set')}"


def manifests(lake: str, name: str) -> list[dict[str, Any]]:
    """Return the manifests of all completely built versions, oldest first."""
    folder = _folder(lake, name)
    contents = [read_json(f"{folder}/{version}/manifest.json") for version in list_folders(folder)]
    return sorted((content for content in contents if content), key=lambda content: int(content["version"]))


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
