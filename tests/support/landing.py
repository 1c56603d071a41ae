"""Writes files into the landing folder of a test."""

from __future__ import annotations

import csv
from dataclasses import dataclass, replace
from pathlib import Path

from common.sources.files.landing import Landing
from common.sources.files.landing_files import LandedFile
from common.sources.source import SourceListing, SourceUnit
from tests.support.folders import Folders
from tests.support.tables_as_text import parse

PURCHASE = {
    "transaction_id": "t1",
    "user_id": "1",
    "age": "30",
    "purchase_amount": "10.00",
    "timestamp": "2026-01-05T10:00:00Z",
    "category": "food",
    "payment_method": "card",
}


@dataclass
class LandingFolder(Folders):
    def folder(self, ds: str) -> Path:
        path = self.landing / self.dataset / f"ds={ds}"
        path.mkdir(parents=True, exist_ok=True)
        return path

    def land(self, ds: str, text: str, name: str = "part.csv") -> Path:
        """Writes purchases given as a text table; columns that it leaves out get the values of PURCHASE."""
        path = self.folder(ds) / name
        with path.open("w", newline="") as file:
            writer = csv.DictWriter(file, list(PURCHASE))
            writer.writeheader()
            for row in parse(text):
                writer.writerow({**PURCHASE, "timestamp": f"{ds}T10:00:00Z", **row})
        return path

    def land_bytes(self, ds: str, content: bytes, name: str = "part.csv") -> Path:
        path = self.folder(ds) / name
        path.write_bytes(content)
        return path


def judged(day: Landing) -> SourceListing:
    """What a day holds, with what reading each file tells of it."""
    listing = day.holds()
    units = [unit if unit.refused else _read(day, unit) for unit in listing.units]
    return day.was_read(replace(listing, units=tuple(units)))


def _read(day: Landing, unit: SourceUnit) -> SourceUnit:
    *_, last = day.reader.batches(LandedFile(unit.name))
    return replace(SourceUnit.from_text(last["record"][0].as_py()), state=unit.state)
