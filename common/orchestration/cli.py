"""The command line of every job: strict arguments, one JSON line, exit codes that mean something."""

from __future__ import annotations

import argparse
import json
import logging
import sys
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NoReturn

from common.contracts import datasets
from common.days import FORM, parse_days
from common.errors import PipelineError, SourceMissingError, UsageError, advice
from common.orchestration.chain import missed, run_chain
from common.orchestration.job import ChainStep, Job, Line, describe, run_day, run_together
from common.orchestration.json_line import side_by_side, summary
from common.runtime.code_version import day_fingerprint
from common.runtime.log_output import listen
from common.runtime.run import Run
from common.runtime.settings import load_settings


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message}; see --help")


def parser(job: str, day: str = "--ds", **dataset: Any) -> argparse.ArgumentParser:
    arguments = _Parser(prog=f"jobs/{job}.py", allow_abbrev=False)
    arguments.add_argument("--dataset", required=True, help="which dataset: a folder of jobs/datasets", **dataset)
    arguments.add_argument(day, dest="ds", required=True, help=f"the logical day: {FORM}")
    arguments.add_argument("--lake", help="where the tables are (default: LAKE, then conf)")
    arguments.add_argument("--landing", help="where the sources leave their files (default: LANDING, then conf)")
    arguments.add_argument("--env", default="local", help="which conf/<env>.yml (default: local)")
    arguments.add_argument("--full-refresh", action="store_true", help="compute again even where nothing has changed")
    arguments.add_argument("--long-range", action="store_true", help="allow a range of more than a year")
    return arguments


def run_job(job: Job, arguments: argparse.ArgumentParser | None = None, argv: list[str] | None = None) -> NoReturn:
    """Runs a job over its days in one session, and leaves with the exit code that the README promises."""

    def work(given: dict[str, Any]) -> Line:
        runs = plan(job.name, given)
        if job.together and len(runs) > 1:
            return run_together(job, runs)
        return summary(given["ds"], [_run_or_miss(job, run, lone=len(runs) == 1) for run in runs])

    _answer(job.name, work, arguments or parser(job.name), argv)


def run_whole(name: str, arguments: argparse.ArgumentParser, work: Callable[[list[Run]], Line]) -> NoReturn:
    """For what is no step of a day: works on all of its days at once, and files nothing."""
    _answer(name, lambda given: work(plan(name, given)), arguments, None)


def run_chain_job(steps: list[ChainStep], argv: list[str] | None = None) -> NoReturn:
    """The same for a chain of jobs, and for several datasets side by side in one session."""

    def work(given: dict[str, Any]) -> Line:
        plans = {name: plan("backfill", {**given, "dataset": name}) for name in dict.fromkeys(given["dataset"])}
        if len(plans) == 1:
            [runs] = plans.values()
            return summary(given["ds"], run_chain(steps, runs))
        with ThreadPoolExecutor(len(plans)) as workers, ThreadPoolExecutor(len(plans)) as chains:
            running = {name: chains.submit(run_chain, steps, runs, workers) for name, runs in plans.items()}
        return side_by_side({name: summary(given["ds"], found.result()) for name, found in running.items()})

    _answer("backfill", work, parser("backfill", nargs="+"), argv)


def _answer(
    name: str, work: Callable[[dict[str, Any]], Line], arguments: argparse.ArgumentParser, argv: list[str] | None
) -> NoReturn:
    started = time.monotonic()
    listen()
    line: Line = {"job": name, "outcome": "failed"}
    code = 1
    try:
        given = vars(arguments.parse_args(argv))
        line |= {"dataset": given["dataset"], "ds": given["ds"]}
        line = work(given)
        code = SourceMissingError.exit_code if line.get("missing") else 0
    except PipelineError as error:
        line |= describe(error)
        code = error.exit_code
        logging.getLogger("pipeline").error("%s", line["message"])
    except Exception as error:
        line |= describe(error)
        logging.getLogger("pipeline").exception(
            "%s failed: %s", name, advice(error) or "a fault of the pipeline; see below"
        )
    except KeyboardInterrupt:
        line |= {"error": "Interrupted", "message": "stopped by hand; the next run takes up where this one was"}
    line["seconds"] = round(time.monotonic() - started, 1)
    sys.stderr.flush()
    print(json.dumps(line, default=str), flush=True)
    sys.exit(code)


def plan(job: str, given: dict[str, Any]) -> list[Run]:
    """The runs that were asked for, one a day; nothing is touched yet."""
    options = dict(given)
    days = parse_days(options.pop("ds"), options.pop("long_range"))
    places = {name: _from_here(options.pop(name)) for name in ("lake", "landing")}
    settings = load_settings(options.pop("env"), **places)
    dataset = datasets.load(options.pop("dataset"))
    full_refresh = options.pop("full_refresh")
    run_id, code = uuid.uuid4().hex, day_fingerprint(dataset)
    return [Run(job, dataset, day, settings, run_id, code, full_refresh, options) for day in days]


def _from_here(place: str | None) -> str | None:
    return place if place is None or "://" in place else str(Path.cwd() / Path(place).expanduser())


def _run_or_miss(job: Job, run: Run, lone: bool) -> Line:
    """In a range, a day that the source has nothing for does not stop the others."""
    try:
        return run_day(job, run)
    except SourceMissingError as error:
        if lone:
            raise
        run.log.warning("%s", error)
        return {"job": run.job, "ds": str(run.ds), "counts": {}, **missed(run, error)}
