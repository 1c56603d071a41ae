"""The most memory that this process, its Spark and Spark's Python workers have had, in MB."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.processes import parent, words

SIGNS = {"jvm": "org.apache.spark.deploy.SparkSubmit", "worker": "daemon"}


@contextmanager
def peaks() -> Iterator[dict[str, int]]:
    """Fill what it yields until it is left, with the figures that the kernel keeps."""
    most: dict[str, int] = {}
    done = threading.Event()

    def watch() -> None:
        while not done.wait(0.2):
            _look(most)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield most
        _look(most)
    finally:
        done.set()
        thread.join()


def _look(most: dict[str, int]) -> None:
    # Spark is a child of a Python that asked for it, and the parent of one that it was submitted with.
    kinds = {os.getpid(): "python"}
    if kind := _kind(os.getppid()):
        kinds[os.getppid()] = kind
    for pid in sorted(int(place.name) for place in Path("/proc").glob("[0-9]*")):
        if parent(pid) in kinds and (kind := _kind(pid)):
            kinds[pid] = kind
    for pid, kind in kinds.items():
        most[kind] = max(most.get(kind, 0), _megabytes(pid))


def _kind(pid: int) -> str:
    said = words(pid)
    return next((kind for kind, sign in SIGNS.items() if sign in said), "")


def _megabytes(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0  # it has just ended
    return next((int(line.split()[1]) // 1024 for line in lines if line.startswith("VmHWM:")), 0)
