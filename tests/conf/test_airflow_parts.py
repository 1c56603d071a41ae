"""Local Airflow processes restart when they die and stop on request; a stub program stands in for `airflow`."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from common.runtime.settings import CONF
from tests.support.processes import in_session

PARTS = ("api-server", "dag-processor", "scheduler", "triggerer")
# Starts a child, as the scheduler does its workers, and says who they are.
LIVES = 'sleep 300 & echo "$$ $! $*" >>"$HOME/$1.pids"; wait'


def parts(folder: Path, script: str) -> subprocess.Popen[str]:
    program = folder / "airflow"
    program.write_text(f"#!/bin/bash\n{script}\n")
    program.chmod(0o755)
    return subprocess.Popen(
        [sys.executable, CONF / "airflow" / "parts.py", folder],
        env={"PATH": f"{folder}:/usr/bin:/bin", "HOME": str(folder)},
        stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip


def started(folder: Path, part: str) -> list[list[str]]:
    file = folder / f"{part}.pids"
    return [line.split() for line in file.read_text().splitlines()] if file.exists() else []


def until(holds: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


@pytest.fixture
def running(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    process = parts(tmp_path, LIVES)
    try:
        until(lambda: all(started(tmp_path, part) for part in PARTS), "all parts to start")
        yield process
    finally:
        for pid in in_session(process.pid):
            os.kill(pid, signal.SIGKILL)
        process.wait()


def test_a_killed_part_is_restarted_and_its_children_ended(running: subprocess.Popen[str], tmp_path: Path) -> None:
    pid, child, *words = started(tmp_path, "scheduler")[0]
    os.kill(int(pid), signal.SIGKILL)
    until(lambda: len(started(tmp_path, "scheduler")) == 2, "the scheduler to come back")
    assert int(child) not in in_session(running.pid)
    assert started(tmp_path, "scheduler")[1][2:] == words
    assert all(len(started(tmp_path, part)) == 1 for part in PARTS if part != "scheduler")


def test_no_part_serves_logs(running: subprocess.Popen[str], tmp_path: Path) -> None:
    for part in ("scheduler", "triggerer"):
        assert started(tmp_path, part)[0][2:] == [part, "--skip-serve-logs"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_stopping_leaves_no_process_running(running: subprocess.Popen[str], number: int) -> None:
    assert len(in_session(running.pid)) >= 9
    running.send_signal(number)
    assert running.wait(20) == 0
    assert in_session(running.pid) == set()


def test_stopping_waits_for_tasks_alone(tmp_path: Path) -> None:
    """The scheduler takes its time, and the two others would not end at all."""
    slow = f'[ "$1" != scheduler ] || trap "sleep 1.5; touch {tmp_path}/ended; exit" TERM'
    deaf = '[[ "$1" != @(api-server|triggerer) ]] || trap "" TERM'
    process = parts(tmp_path, f"{slow}; {deaf}; {LIVES}; sleep 0.2")
    until(lambda: all(started(tmp_path, part) for part in PARTS), "all parts to start")
    before = time.monotonic()
    process.terminate()
    assert process.wait(30) == 0
    assert (tmp_path / "ended").exists()
    assert time.monotonic() - before < 10
    assert in_session(process.pid) == set()


def test_a_part_that_ends_at_once_is_named_and_all_parts_end(tmp_path: Path) -> None:
    process = parts(tmp_path, f'[ "$1" = scheduler ] && {{ echo no database; exit 3; }}; {LIVES}')
    _, said = process.communicate(timeout=30)
    assert process.returncode == 1
    assert "Airflow's scheduler has ended (3) and is started again" in said
    assert said.endswith(f"Airflow's scheduler ends as soon as it is started: see {tmp_path}/scheduler.log\n")
    assert (tmp_path / "scheduler.log").read_text() == "no database\n" * 3
    assert in_session(process.pid) == set()
