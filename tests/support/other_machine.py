"""A writer that does not share our locks."""

from __future__ import annotations

from collections.abc import Callable


class OtherMachine:
    """Stands in for a run's code, and commits while the run signs its own commit: after its decision, before the commit.

    Each signing makes the next of the commits.
    """

    def __init__(self, *commits: Callable[[], object]) -> None:
        self.commits = list(commits)

    def __str__(self) -> str:
        if self.commits:
            self.commits.pop(0)()
        return "test"
