"""What tests of a followed topic share: a stream that is killed now and then, and the rows that it leaves."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from tests.support.boundaries import boundaries, only
from tests.support.play_lake import PlayLake

# Verdicts and statistics also say when they were made.
DATA = ("raw/", "quarantine/", "processed/", "superseded/", "partials/", "features/", "published/")


class KilledError(Exception):
    """Stands for the end of the process."""


def rows(lake: PlayLake) -> dict[str, list[str]]:
    """Every row of the data tables."""
    return {path: found for path, found in lake.content().items() if path.startswith(DATA)}


def follow_killed(follow: Callable[[int], object], random: Random) -> None:
    """A stream in micro-batches of so many records is killed, started again, and may be killed again."""

    def kill() -> None:
        raise KilledError

    for _ in range(2):
        try:
            with boundaries(only(random.randrange(1, 25), kill)):
                follow(random.randrange(1, 5))
        except KilledError:
            continue
