"""Ctrl-C before a program has begun, while it imports its libraries: one line, exit 130, no trace."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.house.test_commands import PROGRAMS
from tests.house.test_imports import ROOT

# Hangs where every program comes by.
WAITING = """
import os, sys, threading

class Waiting:
    def find_spec(name, path=None, target=None):
        if name == "common.names":
            os.write(2, b"importing\\n")
            threading.Event().wait()

sys.meta_path.insert(0, Waiting)
"""
COMMANDS = {
    **{module: ("-m", module) for module in PROGRAMS},
    "features": (".venv/bin/features",),
    "a job by its path": ("jobs/ingest.py",),
}


def interrupt(folder: Path, *command: str, **environment: str) -> tuple[int, list[str]]:
    (folder / "sitecustomize.py").write_text(WAITING)
    known = {**os.environ, "PYTHONPATH": f"{folder}{os.pathsep}{ROOT}", **environment}
    process = subprocess.Popen(command, cwd=ROOT, env=known, stderr=subprocess.PIPE, text=True)
    assert process.stderr
    first = process.stderr.readline()
    assert first == "importing\n", first + process.stderr.read()
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    return process.returncode, said.splitlines()


@pytest.mark.parametrize("name", COMMANDS)
def test_ctrl_c_while_a_program_starts_is_one_line(tmp_path: Path, name: str) -> None:
    code, said = interrupt(tmp_path, sys.executable, *COMMANDS[name])
    assert (code, said) == (130, ["interrupted while it started; nothing was touched: run the same command again"])


def test_with_spark_of_others_that_line_is_json(tmp_path: Path) -> None:
    """Their spark-submit puts standard error into standard output, whose last line is JSON."""
    submitted = (sys.executable, "jobs/clean.py", "--ds", "2026-01-05")
    code, (line,) = interrupt(tmp_path, *submitted, PYSPARK_GATEWAY_PORT="1")
    said = json.loads(line)
    assert (code, said["job"], said["outcome"], said["error"]) == (130, "clean", "interrupted", "Interrupted")


def test_a_program_of_others_keeps_its_own_ctrl_c(tmp_path: Path) -> None:
    (tmp_path / "theirs.py").write_text("from common.published import Lake\nimport common.names\n")
    code, said = interrupt(tmp_path, sys.executable, str(tmp_path / "theirs.py"))
    assert (code, said[-1]) == (-signal.SIGINT, "KeyboardInterrupt")
