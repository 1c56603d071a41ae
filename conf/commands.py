"""What a set-up does through other programs, and how it talks to whoever started it. Standard library only."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import NoReturn


def environment() -> dict[str, str]:
    """The caller's variables, but for those that lead a Spark astray."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("SPARK_", "PYSPARK_"))}


def works(*command: str) -> bool:
    """Try a command, such as an installation from the caches of earlier set-ups, which needs no network."""
    return not subprocess.run(command, env=environment(), check=False, capture_output=True).returncode


def call(*command: str) -> None:
    done = subprocess.run(command, env=environment(), check=False)
    if done.returncode:
        stop(f"set-up failed in: {' '.join(command[:4])} …")


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def stop(text: str) -> NoReturn:
    sys.exit(text)
