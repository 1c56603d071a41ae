"""Tell at once what is wrong with what is typed for a job: spark-submit asks this before it starts Java, which takes a second.

Exits with 2 after the job's line of JSON, with 0 after --help, and with 1 where spark-submit is to go on, or with 3 where it
is to go on with Java's optimising compiler, because much has landed.
"""

from __future__ import annotations

import ast
import json
import logging
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from common.errors import UsageError
from common.orchestration.options import Asked, asked
from common.runtime.environments import CONF, ROOT
from common.runtime.log_output import listen
from jobs.arguments import parser_of

JOBS = Path(__file__).resolve().parents[2] / "jobs"
GO_ON, GO_ON_OPTIMISED = 1, 3
# With less landed, the optimising compiler costs more than it saves; a day of a million rows and 65 MB takes as long with it.
MUCH = 128 << 20
# What a program imports that runs as a job.
COMMAND_LINE = "common.orchestration.cli"


def main(words: list[str]) -> int:
    found = [at for at, word in enumerate(words) if word.endswith(".py") and Path(word).resolve().parent == JOBS]
    if not found:
        return GO_ON
    job, typed = Path(words[found[0]]).stem, words[found[0] + 1 :]
    line: dict[str, Any] = {"job": job, "outcome": "failed"}
    try:
        return GO_ON_OPTIMISED if landed(check(job, typed, line)) >= MUCH else GO_ON
    except UsageError as error:
        refuse({**line, "error": type(error).__name__, "message": str(error), "seconds": 0.0})
        return error.exit_code
    except Exception:
        return GO_ON  # the job will say it


def check(job: str, typed: list[str], line: dict[str, Any]) -> list[Asked]:
    text = (JOBS / f"{job}.py").read_text(encoding="utf-8")
    if COMMAND_LINE not in text:
        return []
    sys.modules["__main__"].__doc__ = ast.get_docstring(ast.parse(text))  # for --help
    options = vars(parser_of(job).parse_args(typed))
    line |= {"dataset": options["dataset"], "ds": options["ds"]}
    several = options["dataset"]
    return [asked({**options, "dataset": name}) for name in (several if isinstance(several, list) else [several])]


def landed(everything: list[Asked]) -> int:
    """How many bytes lie in the local landing folders of what is asked for."""
    return sum(_size(folder) for one in everything for folder in _folders(one))


def _folders(one: Asked) -> Iterator[Path]:
    landing = one.roots["landing"] or os.environ.get("LANDING") or _declared_landing(one.env)
    return (ROOT / landing / one.dataset.contract.name / f"ds={day}" for day in one.days)


def _declared_landing(env: str) -> str:
    import yaml  # a tenth of all that is imported here

    return str(yaml.safe_load((CONF / f"{env}.yml").read_text(encoding="utf-8"))["landing"])


def _size(folder: Path) -> int:
    try:
        return sum(entry.stat().st_size for entry in os.scandir(folder) if entry.is_file())
    except OSError:
        return 0


def refuse(line: dict[str, Any]) -> None:
    listen()
    logging.getLogger("pipeline").error("%s", line["message"])
    print(json.dumps(line))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
