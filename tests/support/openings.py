"""Lakes that many tests begin with: the jobs make each of them once, and every test has its own copy."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from tests.support.play_lake import PlayLake

DAY, NEXT = "2026-01-05", "2026-01-06"


@dataclass
class Openings:
    folder: Path

    @cached_property
    def one_made(self) -> PlayLake:
        """User 1 bought `a` for 10.00 on DAY, which has features."""
        lake = PlayLake(self.folder / "one_made")
        lake.land(DAY, "transaction_id\na")
        lake.day(DAY)
        return lake

    @cached_property
    def two_made(self) -> PlayLake:
        """And `b` for as much on NEXT."""
        lake = self.one_made.copied(self.folder / "two_made")
        lake.land(NEXT, "transaction_id\nb")
        lake.day(NEXT)
        return lake

    @cached_property
    def two_cleaned(self) -> PlayLake:
        """The same purchases, which have no features yet."""
        lake = PlayLake(self.folder / "two_cleaned")
        for ds, name in ((DAY, "a"), (NEXT, "b")):
            lake.land(ds, f"transaction_id\n{name}")
            lake.ingest(ds)
            lake.clean(ds)
        return lake

    @cached_property
    def one_published(self) -> PlayLake:
        lake = self.one_made.copied(self.folder / "one_published")
        lake.publish(DAY)
        return lake

    @cached_property
    def two_published(self) -> PlayLake:
        lake = self.two_made.copied(self.folder / "two_published")
        for ds in (DAY, NEXT):
            lake.publish(ds)
        return lake

    @cached_property
    def corrected(self) -> PlayLake:
        """DAY was published, arrived again with `a` for 12.00, and was published again."""
        lake = self.one_published.copied(self.folder / "corrected")
        lake.land(DAY, "transaction_id | purchase_amount\na | 12.00")
        lake.day(DAY)
        lake.publish(DAY)
        return lake
