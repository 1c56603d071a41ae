"""Run a job in this process, on the Spark Connect server at SPARK_REMOTE; spark-submit starts this in place of Java.

A dataset whose source is read through Java runs as without SPARK_REMOTE.
"""

from __future__ import annotations

import os
import runpy
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
JOBS = ROOT / "jobs"
# Those of spark-submit's options that stand alone; each other one has a value.
FLAGS = ("--supervise", "--verbose", "-v", "--help", "-h", "--version", "--usage-error")
CONF = ("--conf", "-c")
READ_SOURCES = ("ingest", "backfill", "stream")


def split(words: list[str]) -> tuple[dict[str, str], list[str]]:
    """The settings that are typed for spark-submit, and the job with its own words."""
    settings: dict[str, str] = {}
    left = [*words]
    while left and left[0].startswith("-"):
        option, equals, value = left.pop(0).partition("=")
        if option in FLAGS:
            continue
        if not equals:
            value = left.pop(0) if left else ""
        if option in CONF:
            name, _, setting = value.partition("=")
            settings[name] = setting
    return settings, left


def main(words: list[str]) -> None:
    settings, job = split(words)
    sys.argv = job
    from common.errors import exit_on_error
    from common.runtime.session_kind import REMOTE, remember_submitted

    remember_submitted(settings)
    with exit_on_error():
        java = needs_java(job)
    if java:
        print(f"{REMOTE} is not used: a source of this run is read through Java", file=sys.stderr)
        known = {name: value for name, value in os.environ.items() if name != REMOTE}
        os.execve(ROOT / ".venv" / "bin" / "spark-submit", ["spark-submit", *words], known)  # noqa: S606
    os.environ["SPARK_CONNECT_MODE_ENABLED"] = "1"  # which PySpark's functions look at
    runpy.run_path(job[0], run_name="__main__")


def needs_java(job: list[str]) -> bool:
    """Whether the job reads a source that only Java can reach."""
    from common.contracts import datasets

    if Path(job[0]).resolve().parent != JOBS or Path(job[0]).stem not in READ_SOURCES:
        return False
    named = {word.removeprefix("--dataset=") for word in job[1:]} & {*datasets.names()}
    return any(datasets.load(name).contract.source.needs_java for name in named)


if __name__ == "__main__":
    main(sys.argv[1:])
