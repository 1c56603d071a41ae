"""A lake within the lake, whose tables share the files of its own: no data is copied, and what is written there stays there.

No writer of Delta changes a file in place, so a hard link is as good as a copy; a vacuum takes away only its own name.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from common.errors import UsageError
from common.lake.erasing import erasures
from common.lake.storage.files import is_local, local_path
from common.lake.storage.locks import hold_here, require_idle, wait_for_erasure
from common.lake.training_manifests import FOLDER as TRAINING
from common.names import require_name

FOLDER = ".trials"
LOG = "_delta_log"


def place_of(lake: str, name: str) -> str:
    require_name(name, "a trial")
    if not is_local(lake):
        raise UsageError(
            f"{lake} is on an object store, where files can't be linked; expected a lake in a local folder. Copy the tables of "
            "the dataset to one, and name it with --lake"
        )
    return f"{lake}/{FOLDER}/{name}"


@contextmanager
def holding(lake: str, name: str, datasets: Sequence[str]) -> Iterator[None]:
    """While it is held, nobody makes or drops the copy, and nobody is erased from these datasets."""
    with ExitStack() as locks:
        for lock in (f"trial/{name}", *(f"{dataset}/trial/{name}" for dataset in datasets)):
            locks.enter_context(hold_here(lake, lock, 0))
        for dataset in datasets:
            wait_for_erasure(lake, dataset, 0)
        yield


def link(lake: str, name: str, datasets: Sequence[str], without: Collection[str] = ()) -> str:
    """Make the copy anew, except for the tables `without`; returns its place."""
    place = place_of(lake, name)
    drop(lake, name)
    for dataset in datasets:
        for path in [*_tables(local_path(lake), dataset), f"{erasures.FOLDER}/{dataset}"]:
            if path not in without:
                _link_folder(local_path(lake) / path, local_path(place) / path)
    local_path(place).mkdir(parents=True, exist_ok=True)
    return place


def drop(lake: str, name: str) -> bool:
    """Returns whether there was one."""
    place = local_path(place_of(lake, name))
    if not place.is_dir():
        return False
    # Of a trial that was killed, the backfill may still be at work.
    for dataset in {path.name for path in place.glob("*/*") if path.is_dir()}:
        require_idle(str(place), dataset, "")
    shutil.rmtree(place)
    return True


def drop_all(lake: str, dataset: str) -> None:
    """Those that hold tables of the dataset."""
    places = local_path(lake).glob(f"{FOLDER}/*") if is_local(lake) else ()
    for place in [each for each in places if any(each.glob(f"*/{dataset}"))]:
        shutil.rmtree(place)


def _tables(lake: Path, dataset: str) -> Iterator[str]:
    """The Delta tables of the dataset, without its training sets."""
    homes = [top / dataset for top in sorted(lake.glob("*")) if top.name not in (FOLDER, TRAINING)]
    for home in homes:
        for log in sorted([*home.glob(LOG), *home.glob(f"*/{LOG}")]):
            yield str(log.parent.relative_to(lake))


def _link_folder(source: Path, target: Path) -> None:
    """The log first: a file that it names was there before."""
    for folder, names, files in os.walk(source):
        names.sort(key=lambda name: name != LOG)
        into = target / Path(folder).relative_to(source)
        into.mkdir(parents=True, exist_ok=True)
        for file in files:
            with suppress(FileNotFoundError):  # moved into place, or vacuumed, meanwhile
                _link(Path(folder) / file, into / file)


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError as error:
        if isinstance(error, FileNotFoundError):
            raise
        raise UsageError(
            f"{source} can't be linked ({error.strerror}); expected a file system with hard links, and the whole lake on one. "
            "Nothing of the lake was changed"
        ) from None
