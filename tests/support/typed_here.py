"""Runs commands in this process, for tests of what they do with their words: most of a command's time goes into its start."""

from __future__ import annotations

import json
import logging
import os
import runpy
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import chdir, contextmanager, redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any
from unittest import mock

from common.reader import cli
from conf.spark import driver

ROOT = Path(__file__).resolve().parents[2]
Ended = tuple[int, str, str]


def typed(command: str, **environment: str) -> Ended:
    """The command's exit code, what it prints and what it says."""
    program, *words = shlex.split(command)
    printed, said = StringIO(), StringIO()
    with left_as_it_was(), chdir(ROOT), redirect_stdout(printed), redirect_stderr(said):
        os.environ |= environment
        sys.argv = [program, *words]
        code = exit_code(lambda: PROGRAMS[Path(program).name](words))
    return code, printed.getvalue(), said.getvalue()


def typed_without_java(commands: list[str], **environment: str) -> list[Ended]:
    """The same of several commands, in one process of their own where Java can't be found."""
    code = (
        "import json, sys; from tests.support.typed_here import typed; print(json.dumps([*map(typed, sys.argv[1:])]))"
    )
    known = {**os.environ, **environment, "PYTHONPATH": str(ROOT), "JAVA_HOME": "/nowhere"}
    done = subprocess.run(
        [sys.executable, "-c", code, *commands],
        cwd=ROOT, env=known, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return [(int(code), printed, said) for code, printed, said in json.loads(done.stdout)]


@contextmanager
def left_as_it_was() -> Iterator[None]:
    """What a program may change because its process ends with it."""
    logger = logging.getLogger("pipeline")
    before = logger.handlers[:], logger.level, logger.propagate
    with mock.patch.dict(os.environ), mock.patch.object(sys, "argv", []):
        try:
            yield
        finally:
            logger.handlers[:], logger.level, logger.propagate = before


def exit_code(run: Callable[[], Any]) -> int:
    try:
        return int(run() or 0)
    except SystemExit as left:
        return left.code if isinstance(left.code, int) else int(left.code is not None)


def _features(words: list[str]) -> int:
    return cli.main(words)


def _submit(words: list[str]) -> None:
    assert Path(driver.split(words)[1][0]).resolve().parent == ROOT / "jobs", "Spark itself runs what is no job of ours"
    driver.main(words)


def _python(words: list[str]) -> None:
    if words[0] == "-m":
        sys.argv = words[1:]
        runpy.run_module(words[1], run_name="__main__", alter_sys=True)
    else:
        sys.argv = words
        runpy.run_path(words[0], run_name="__main__")


PROGRAMS: dict[str, Callable[[list[str]], Any]] = {"features": _features, "spark-submit": _submit, "python": _python}
