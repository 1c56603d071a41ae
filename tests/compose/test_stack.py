"""Runs the compose stack where a container engine is available."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

CHECK = Path(__file__).parent / "check.py"
# The engine behind a compose command, and how to ask it whether it is there.
ENGINES = {"docker compose": "docker info", "podman-compose": "podman info"}


def answers(command: str) -> bool:
    try:
        return subprocess.run(shlex.split(command), capture_output=True, check=False, timeout=60).returncode == 0
    except OSError:
        return False


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_the_stack_starts_from_a_clone_runs_days_and_is_closed() -> None:
    wanted = os.environ.get("COMPOSE")
    found = [
        each
        for each, engine in ENGINES.items()
        if wanted in (None, each) and answers(engine) and answers(f"{each} version")
    ]
    if not found:
        pytest.skip(f"no container engine answers: {wanted or ' nor '.join(ENGINES)}")
    done = subprocess.run(
        [sys.executable, CHECK], env={**os.environ, "COMPOSE": found[0]}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-5_000:] + done.stderr[-20_000:]
