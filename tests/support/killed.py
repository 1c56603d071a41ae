"""Runs a job as its command would, and kills the process before the nth commit or side file that it writes.

`python -m tests.support.killed N JOB ARGUMENTS…`
"""

from __future__ import annotations

import os
import runpy
import signal
import sys
from pathlib import Path

from tests.support.boundaries import boundaries, only

ROOT = Path(__file__).resolve().parents[2]


def main(nth: str, job: str, *arguments: str) -> None:
    sys.argv = [f"{job}.py", *arguments]
    with boundaries(only(int(nth), lambda: os.kill(os.getpid(), signal.SIGKILL))):
        runpy.run_path(str(ROOT / "jobs" / f"{job}.py"), run_name="__main__")


if __name__ == "__main__":
    main(*sys.argv[1:])
