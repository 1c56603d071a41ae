"""Where a test's landing folder, lake and online store are."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass
class Folders:
    root: Path
    dataset: str = "transactions"

    @property
    def landing(self) -> Path:
        return self.root / "landing"

    @property
    def lake_folder(self) -> Path:
        return self.root / "lake"

    @property
    def online(self) -> str:
        return f"sqlite:///{self.root}/online.db"
