"""What a shell is told when it asks how a command line of `features` may go on."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from common.runtime.settings import ROOT
from tests.support.published_tables import publish


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("features sh", ["show"]),
        ("features show purch", ["purchases@v1"]),
        ("features show --lim", ["--limit"]),
        ("features show --pin ", []),
    ],
)
def test_a_command_line_is_completed(tmp_path: Path, typed: str, words: list[str]) -> None:
    publish(tmp_path / "lake", "ds | user_id | spend\n2026-01-05 | 1 | 10.00")
    answer = tmp_path / "answer"
    asked = {
        "_ARGCOMPLETE": "1",
        "_ARGCOMPLETE_STDOUT_FILENAME": str(answer),
        "COMP_LINE": typed,
        "COMP_POINT": str(len(typed)),
        "LAKE": str(tmp_path / "lake"),
    }
    command = [sys.executable, "-m", "common.reader.cli"]
    subprocess.run(command, cwd=ROOT, env={**os.environ, **asked}, capture_output=True, check=True, timeout=60)
    assert [word.strip() for word in answer.read_text().split("\v") if word.strip()] == words
