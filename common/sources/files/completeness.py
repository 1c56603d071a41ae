"""Whether all of a day's files have landed: by a marker file, or by a manifest with their names and sizes."""

from __future__ import annotations

from typing import Any

from common.lake.storage.files import read_json
from common.sources.files.landing_files import landed_states

MANIFEST = ".json"
FORM = '{"files": [{"name": "a.csv", "size": 1024}]}, sizes in bytes'


def sizes(folder: str) -> dict[str, int]:
    """Every file below the folder, also hidden ones, with its size; none if the folder may not be read."""
    return {name: size for name, (size, _) in landed_states(folder).items()}


def missing(folder: str, marker: str) -> list[str]:
    """What the day still lacks, in words."""
    landed = sizes(folder)
    if marker not in landed:
        return [marker]
    if not marker.endswith(MANIFEST):
        return []
    try:
        expected = _expected(read_json(f"{folder}/{marker}"))
    except (KeyError, TypeError, ValueError):
        return [f"a {marker} of the form {FORM}"]
    return [
        f"{name} ({'missing' if name not in landed else f'{landed[name]} bytes'}, expected {size} bytes)"
        for name, size in sorted(expected.items())
        if landed.get(name) != size
    ]


def _expected(manifest: Any) -> dict[str, int]:
    return {str(file["name"]): int(file["size"]) for file in manifest["files"]}
