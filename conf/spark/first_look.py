"""Tell at once what is wrong with what is typed for a job: spark-submit asks this before it starts Java, which takes a second.

Exits with 2 after the job's line of JSON, with 0 after --help, and with 1 where spark-submit is to go on.
"""

from __future__ import annotations

import ast
import json
import logging
import sys
from pathlib import Path
from typing import Any

from common.errors import UsageError
from common.orchestration.options import asked
from common.runtime.log_output import listen
from jobs.arguments import parser_of

JOBS = Path(__file__).resolve().parents[2] / "jobs"
GO_ON = 1
# What a program imports that runs as a job.
COMMAND_LINE = "common.orchestration.cli"


def main(words: list[str]) -> int:
    found = [at for at, word in enumerate(words) if word.endswith(".py") and Path(word).resolve().parent == JOBS]
    if not found:
        return GO_ON
    job, typed = Path(words[found[0]]).stem, words[found[0] + 1 :]
    line: dict[str, Any] = {"job": job, "outcome": "failed"}
    try:
        check(job, typed, line)
    except UsageError as error:
        refuse({**line, "error": type(error).__name__, "message": str(error), "seconds": 0.0})
        return error.exit_code
    except Exception:
        return GO_ON  # the job will say it
    return GO_ON


def check(job: str, typed: list[str], line: dict[str, Any]) -> None:
    text = (JOBS / f"{job}.py").read_text(encoding="utf-8")
    if COMMAND_LINE not in text:
        return
    sys.modules["__main__"].__doc__ = ast.get_docstring(ast.parse(text))  # for --help
    options = vars(parser_of(job).parse_args(typed))
    line |= {"dataset": options["dataset"], "ds": options["ds"]}
    several = options["dataset"]
    for name in several if isinstance(several, list) else [several]:
        asked({**options, "dataset": name})


def refuse(line: dict[str, Any]) -> None:
    listen()
    logging.getLogger("pipeline").error("%s", line["message"])
    print(json.dumps(line))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
