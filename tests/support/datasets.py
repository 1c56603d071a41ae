"""A folder of datasets that a test brings along."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import jobs.datasets


def spoil(file: Path, old: str, new: str) -> None:
    """Replaces a part of the file."""
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


def write_dataset(datasets: Path, name: str, contract: str, transforms: str) -> Path:
    """Writes the dataset's folder into a folder of datasets and returns it."""
    folder = datasets / name
    folder.mkdir(parents=True)
    (folder / "contract.py").write_text(contract)
    (folder / "transforms.py").write_text(transforms)
    return folder


@contextmanager
def datasets_in(folder: Path) -> Iterator[Path]:
    """Finds the datasets of the folder inside the block, before others of their names, and forgets them after it."""
    _forget(folder)
    try:
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(jobs.datasets, "__path__", [str(folder), *jobs.datasets.__path__])
            yield folder
    finally:
        _forget(folder)


def _forget(folder: Path) -> None:
    for dataset in [each.name for each in folder.iterdir() if each.is_dir()]:
        for module in [name for name in sys.modules if f"{name}.".startswith(f"jobs.datasets.{dataset}.")]:
            del sys.modules[module]
