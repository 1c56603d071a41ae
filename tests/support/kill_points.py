"""What a kill at each moment of some work would leave on disk, found by doing the work once, undisturbed."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.support.boundaries import boundaries

COMMIT = re.compile(r"\d{20}\.json")
# Locks are the kernel's, pages are for people, and SQLite keeps its files together by itself.
NOT_STATE = ("locks", "gx")


@dataclass(frozen=True)
class KillPoint:
    before: str  # what would have been written next
    root: Path  # the folders as the kill leaves them


def kill_points(root: Path, folder: Path, work: Callable[[], object], every: int = 1) -> list[KillPoint]:
    """Nothing runs after a kill, so a copy of the folders at that moment is what it leaves; no `finally` has cleaned up.

    Where two things were written and only the first was announced, the moment between them is put together from the
    order in which they came to be. With `every`, only that share of the moments is kept.
    """

    def keep(number: int, what: str) -> None:
        if number % every in (0, 1 % every):
            _copy(root, folder / str(number))

    with boundaries(keep) as seen:
        work()
    keep(len(seen) + 1, "the end")
    points: list[KillPoint] = []
    for number in range(every, len(seen) + 1, every):
        points += _points(seen[number - 1], folder / str(number), folder / str(number + 1))
    return points


def _copy(root: Path, to: Path) -> None:
    """Data files of tables and commits are written once, so that a copy shares them; an export is written over."""
    shutil.copytree(root, to, copy_function=_linked_or_copied)


def _linked_or_copied(source: str, target: str) -> None:
    place = Path(source)
    shared = _in_table(place) or COMMIT.fullmatch(place.name)
    (os.link if shared else shutil.copy2)(source, target)


def written(root: Path) -> dict[str, tuple[int, int]]:
    """Every commit and every file beside the tables, with its time and size."""
    found = {}
    for path in (root / "lake").rglob("*"):
        if path.is_file() and _is_state(path.relative_to(root / "lake")):
            found[str(path.relative_to(root))] = (path.stat().st_mtime_ns, path.stat().st_size)
    return found


def _is_state(path: Path) -> bool:
    if path.parts[0] in NOT_STATE or path.suffix == ".tmp":
        return False
    if "_delta_log" in path.parts:
        return bool(COMMIT.fullmatch(path.name))
    return not _in_table(path) and path.name[0] != "."


def _in_table(path: Path) -> bool:
    return path.suffix == ".parquet" and "export" not in path.parts


def _points(what: str, earlier: Path, later: Path) -> list[KillPoint]:
    """The moment before a write, and those before each further thing that was written until the next announced moment."""
    old, new = written(earlier), written(later)
    changed = sorted((path for path in new if new[path] != old.get(path)), key=lambda path: new[path])
    points = [KillPoint(f"{what}: {_short(changed[0])}" if changed else what, earlier)]
    for number in range(1, len(changed)):
        state = later.with_name(f"{later.name} without {number}")
        _copy(later, state)
        for path in changed[number:]:
            (state / path).unlink()
            (state / path).with_name(f".{(state / path).name}.crc").unlink(missing_ok=True)  # is written after it
            if path in old:
                shutil.copy2(earlier / path, state / path)
        points.append(KillPoint(f"not announced: {_short(changed[number])}", state))
    return points


def _short(path: str) -> str:
    return path.removeprefix("lake/").replace("_delta_log/00000000000000", "")
