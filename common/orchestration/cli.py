"""The command line of every job: strict arguments, one JSON line on stdout, documented exit codes."""

from __future__ import annotations

import argparse
import json
import logging
import os
import signal
import sys
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import redirect_stdout
from typing import Any, NoReturn, TextIO

from common.errors import PipelineError, SourceMissingError, UsageError, advice, has_started
from common.lake.storage.store_errors import explaining
from common.orchestration import interruption
from common.orchestration.chain import check_declarations, missed, run_chain
from common.orchestration.job import ChainStep, Job, Line, describe, run_day, run_together
from common.orchestration.json_line import side_by_side, summary
from common.orchestration.options import asked, chain_parser, parser, said_day
from common.runtime import jvm
from common.runtime.code_version import day_fingerprint, rows_fingerprint
from common.runtime.log_output import listen
from common.runtime.remote_session import close_all, explaining_server
from common.runtime.run import Run
from common.runtime.settings import load_settings
from common.telemetry import receivers
from common.telemetry.report import Report


def run_job(job: Job, arguments: argparse.ArgumentParser | None = None, argv: list[str] | None = None) -> NoReturn:
    """Run a job over its days in one session, print the JSON line and exit."""

    def work(options: dict[str, Any]) -> Line:
        runs = plan(job.name, options)
        if job.together and len(runs) > 1:
            return run_together(job, runs)
        return summary(options["ds"], [_run_in_range(job, run, single=len(runs) == 1) for run in runs])

    _run_and_exit(job.name, work, arguments or parser(job.name), argv)


def run_whole(name: str, arguments: argparse.ArgumentParser, work: Callable[[list[Run]], Line]) -> NoReturn:
    """Run work that takes all of its days at once and leaves no record in the run log."""

    def reported(options: dict[str, Any]) -> Line:
        runs = plan(name, options)
        telling = Report(*runs)
        try:
            line = work(runs)
        except UsageError:
            raise  # nothing was touched
        except Exception as error:
            telling.failed(describe(error))
            raise
        telling.finished(line)
        return line

    _run_and_exit(name, reported, arguments, None)


def run_chain_job(steps: list[ChainStep], argv: list[str] | None = None) -> NoReturn:
    """Run a chain of jobs, for several datasets in parallel if asked, in one session."""

    def work(options: dict[str, Any]) -> Line:
        plans = {name: plan("backfill", {**options, "dataset": name}) for name in dict.fromkeys(options["dataset"])}
        for runs in plans.values():
            check_declarations(steps, runs)
        if len(plans) == 1:
            [runs] = plans.values()
            return summary(options["ds"], run_chain(steps, runs))
        with ThreadPoolExecutor(len(plans)) as workers, ThreadPoolExecutor(len(plans)) as chains:
            futures = {name: chains.submit(run_chain, steps, runs, workers) for name, runs in plans.items()}
        return side_by_side({name: summary(options["ds"], future.result()) for name, future in futures.items()})

    _run_and_exit("backfill", work, chain_parser(), argv)


def _run_and_exit(
    name: str, work: Callable[[dict[str, Any]], Line], arguments: argparse.ArgumentParser, argv: list[str] | None
) -> NoReturn:
    # Standard output is for the JSON line. What anything else prints, a dataset's own code as well, goes to standard error.
    output = sys.stdout
    has_started(signal.SIG_IGN)  # also once the job is over: only its process has to end then
    with interruption.signals_interrupt(), redirect_stdout(sys.stderr):
        started = time.monotonic()
        code, line = _run(name, work, lambda: _options(arguments, argv, output))
        if lost := receivers.flush():
            line["undelivered"] = lost
        line["seconds"] = round(time.monotonic() - started, 1)
        _print_and_exit(code, line, output)


def _options(arguments: argparse.ArgumentParser, argv: list[str] | None, output: TextIO) -> dict[str, Any]:
    with redirect_stdout(output):  # for --help
        return vars(arguments.parse_args(argv))


def _run(name: str, work: Callable[[dict[str, Any]], Line], parse: Callable[[], dict[str, Any]]) -> tuple[int, Line]:
    line: Line = {"job": name, "outcome": "failed"}
    code = 1
    try:
        listen()
        jvm.leave_interrupts_to_python()
        options = parse()
        line |= {"dataset": options["dataset"], "ds": said_day(options["ds"])}
        with explaining(), explaining_server():
            line = interruption.run_beside(lambda: work(options))
        code = SourceMissingError.exit_code if line.get("missing") else 0
    except PipelineError as error:
        line |= describe(error)
        code = error.exit_code
        logging.getLogger("pipeline").error("%s", line["message"])
    except Exception as error:
        line |= describe(error)
        logging.getLogger("pipeline").exception(
            "%s failed: %s", name, advice(error) or "unexpected error; the traceback follows"
        )
    except interruption.Interrupted as error:
        jvm.silence()
        interruption.await_commits()
        line |= interruption.record(line)
        code = error.exit_code
        logging.getLogger("pipeline").warning("%s", line["message"])
    return code, line


def _print_and_exit(code: int, line: Line, output: TextIO) -> NoReturn:
    close_all()
    sys.stderr.flush()
    print(json.dumps(line, default=str), file=output, flush=True)
    if line["outcome"] == "interrupted":
        os._exit(code)  # other threads are still working
    sys.exit(code)


def plan(job: str, arguments: dict[str, Any]) -> list[Run]:
    """Return one run per day from the parsed arguments, without reading or writing the lake."""
    options = dict(arguments)
    request = asked(options)
    settings, dataset, days = load_settings(request.env, **request.roots), request.dataset, request.days
    # A job that computes rows has imported Spark already; the others do not pay for it.
    dataset.require_sound(with_spark="pyspark" in sys.modules)
    full_refresh = options.pop("full_refresh")
    run_id, code, rows_code = uuid.uuid4().hex, day_fingerprint(dataset), rows_fingerprint(dataset)
    return [Run(job, dataset, day, settings, run_id, code, full_refresh, options, rows_code=rows_code) for day in days]


def _run_in_range(job: Job, run: Run, single: bool) -> Line:
    """Run the day; in a range, report a day without source data as missing instead of raising."""
    try:
        line = run_day(job, run)
        interruption.day_done(run, line["outcome"])
        return line
    except SourceMissingError as error:
        if single:
            raise
        run.log.warning("%s", error)
        return {"job": run.job, "ds": str(run.ds), "counts": {}, **missed(run, error)}
