"""A small pipeline to play with: land files, run jobs, read the tables."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Self

from jobs.datasets.churn import sample
from tests.support.landing import LandingFolder
from tests.support.reading import LakeReader
from tests.support.running import JobRunner


@dataclass
class PlayLake(LandingFolder, JobRunner, LakeReader):
    def copied(self, to: Path) -> Self:
        """A test's own copy of a lake that was made once for several."""
        shutil.copytree(self.root, to, dirs_exist_ok=True)
        return replace(self, root=to)

    def publish_customers(self, ds: str, seed: int = 7) -> None:
        """Takes a day of a small customer base from landing to published."""
        rows, _ = sample.generate(date.fromisoformat(ds), 120, seed, dirt=False)
        lines = [",".join(value or "" for value in row) for row in rows]
        self.land_bytes(ds, "\n".join([",".join(sample.COLUMNS), *lines]).encode())
        self.day(ds)
        self.publish(ds)
