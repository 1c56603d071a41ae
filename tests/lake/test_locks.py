"""Locks keep others out, and leave nothing behind."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from common.errors import LockedError
from common.lake.storage.locks import hold_here
from tests.conftest import ROOT

COUNTING = """
import sys
from pathlib import Path
from common.lake.storage.locks import hold_here

lake, count = sys.argv[1], Path(sys.argv[1], "count")
for _ in range(150):
    with hold_here(lake, "features/shop", 60):
        count.write_text(str(int(count.read_text()) + 1))
"""


def test_nobody_gets_in_while_locks_come_and_go(tmp_path: Path) -> None:
    (tmp_path / "count").write_text("0")
    command = [sys.executable, "-c", COUNTING, str(tmp_path)]
    counters = [subprocess.Popen(command, cwd=ROOT) for _ in range(4)]
    assert [counter.wait(120) for counter in counters] == [0] * 4
    assert (tmp_path / "count").read_text() == "600"


def test_a_lock_goes_with_its_holder(tmp_path: Path) -> None:
    with hold_here(str(tmp_path), "features/shop", 1):
        assert len(list((tmp_path / "locks").iterdir())) == 1
    assert list((tmp_path / "locks").iterdir()) == []


HOLDING = """
import os, sys
from common.lake.storage.locks import hold_here

with hold_here(sys.argv[1], "a", 1):
    print(flush=True)
    sys.stdin.read()
    os._exit(9)
"""


def holder_in(lake: Path) -> subprocess.Popen[bytes]:
    """Holds a lock until its standard input ends, and dies with it."""
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDING, str(lake)], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert holder.stdout
    holder.stdout.readline()
    return holder


def test_the_holder_of_a_lock_is_named(tmp_path: Path) -> None:
    with holder_in(tmp_path) as holder:
        with pytest.raises(LockedError, match=f"a is held by process {holder.pid}"), hold_here(str(tmp_path), "a", 0):
            pass
        holder.communicate()


def test_the_lock_of_a_killed_holder_is_taken_over(tmp_path: Path) -> None:
    with holder_in(tmp_path) as holder:
        holder.communicate()
    assert holder.returncode == 9
    assert len(list((tmp_path / "locks").iterdir())) == 1
    with hold_here(str(tmp_path), "a", 0):
        pass
    assert list((tmp_path / "locks").iterdir()) == []
