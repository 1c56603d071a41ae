"""Where pages about a lake are written."""

from __future__ import annotations

from pathlib import Path

from common.lake.storage.files import is_local, local_path
from common.runtime.settings import ROOT


def beside_lake(lake: str) -> Path:
    """The folder that holds the lake; for a lake that is not a local folder, the project's data."""
    return local_path(lake).parent if is_local(lake) else ROOT / "data"
