"""Run a job in this process: its Java starts only once it needs Spark, so that a day that is up to date starts none.

spark-submit starts this for the programs in jobs/. With SPARK_REMOTE they use that server instead of a Java of their own,
unless they read a source that only Java can reach.
"""

from __future__ import annotations

import io
import os
import runpy
import shlex
import signal
import sys
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout, suppress
from itertools import pairwise
from pathlib import Path
from typing import NoReturn

ROOT = Path(__file__).resolve().parents[2]
# Those of spark-submit's options that stand alone; each other one has a value.
FLAGS = ("--supervise", "--verbose", "-v", "--help", "-h", "--version", "--usage-error")
ASKS = {"--help", "-h", "--version"}
CONF = ("--conf", "-c")
DEFAULTS = ("--properties-file", str(ROOT / "conf/spark/spark-defaults.conf"))
READ_SOURCES = ("ingest", "backfill", "stream")
# With less landed, the optimising compiler costs more than it saves; a day of a million rows and 65 MB takes as long with it.
MUCH = 128 << 20
OPTIMISED = ("--driver-java-options", "-XX:TieredStopAtLevel=4")
ABOUT_JAVA = ("--driver-java-options", "spark.driver.extraJavaOptions")


def split(words: list[str]) -> tuple[list[str], list[str]]:
    """What is typed for spark-submit, and the job with its own words."""
    left = [*words]
    options: list[str] = []
    while left and left[0].startswith("-"):
        options.append(left.pop(0))
        if options[-1] not in FLAGS and "=" not in options[-1] and left:
            options.append(left.pop(0))
    return options, left


def settings(options: list[str]) -> dict[str, str]:
    """Those that --conf gives."""
    given = [value for option, value in pairwise(options) if option in CONF]
    given += [option.partition("=")[2] for option in options if option.startswith("--conf=")]
    return {name: value for name, _, value in (each.partition("=") for each in given)}


def main(words: list[str]) -> None:
    options, job = split(words)
    if ASKS.intersection(options) or not job or Path(job[0]).resolve().parent != ROOT / "jobs":
        leave_to_spark(words)
    sys.argv = job
    from common.errors import exit_on_error  # makes Ctrl-C one line from here on
    from common.runtime.session_kind import REMOTE, remember_submitted

    _let_ctrl_c_through()
    if os.environ.get(REMOTE):
        with exit_on_error():
            java = needs_java(job)
        if java:
            print(f"{REMOTE} is not used: a source of this run is read through Java", file=sys.stderr)
            del os.environ[REMOTE]
        else:
            remember_submitted(settings(options))
            os.environ["SPARK_CONNECT_MODE_ENABLED"] = "1"  # which PySpark's functions look at
    if not os.environ.get(REMOTE):
        os.environ["PYSPARK_SUBMIT_ARGS"] = shlex.join([*for_java(options, job), "pyspark-shell"])
    runpy.run_path(job[0], run_name="__main__")


def leave_to_spark(words: list[str]) -> NoReturn:
    """Run what is no job of this project as Spark does."""
    _let_ctrl_c_through()
    program = Path(os.environ["SPARK_HOME"]) / "bin/spark-submit"
    os.execv(program, [str(program), *DEFAULTS, *words])  # noqa: S606


def _let_ctrl_c_through() -> None:
    """It is blocked while Python starts, where it would end in a trace."""
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})


def needs_java(job: list[str]) -> bool:
    """Whether the job reads a source that only Java can reach."""
    from common.contracts import datasets

    if Path(job[0]).stem not in READ_SOURCES:
        return False
    named = {word.removeprefix("--dataset=") for word in job[1:]} & {*datasets.names()}
    return any(datasets.load(name).contract.source.needs_java for name in named)


def for_java(options: list[str], job: list[str]) -> list[str]:
    """The options of Java, with the optimising compiler if much has landed; what is said by hand stays as it is."""
    by_hand = any(name in option for option in options for name in ABOUT_JAVA)
    compiler = OPTIMISED if not by_hand and landed(job) >= MUCH else ()
    return [*DEFAULTS, *compiler, *options]


def landed(job: list[str]) -> int:
    """How many bytes lie in the local landing folders of the days that are asked for."""
    said = io.StringIO()
    # The job will say what is wrong.
    with suppress(Exception, SystemExit), redirect_stdout(said), redirect_stderr(said):
        return sum(map(_size, _folders(Path(job[0]).stem, job[1:])))
    return 0


def _folders(job: str, typed: list[str]) -> Iterator[Path]:
    from common.orchestration.options import asked
    from jobs.arguments import parser_of

    options = vars(parser_of(job).parse_args(typed))
    several = options["dataset"]
    for name in several if isinstance(several, list) else [several]:
        one = asked({**options, "dataset": name})
        landing = one.roots["landing"] or os.environ.get("LANDING") or _declared_landing(one.env)
        yield from (ROOT / landing / one.dataset.contract.name / f"ds={day}" for day in one.days)


def _declared_landing(env: str) -> str:
    import yaml

    return str(yaml.safe_load((ROOT / f"conf/{env}.yml").read_text(encoding="utf-8"))["landing"])


def _size(folder: Path) -> int:
    try:
        return sum(entry.stat().st_size for entry in os.scandir(folder) if entry.is_file())
    except OSError:
        return 0


if __name__ == "__main__":
    main(sys.argv[1:])
