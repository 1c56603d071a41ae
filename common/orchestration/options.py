"""What is typed for a job: days, datasets and places, checked before anything heavy is imported or Spark starts."""

from __future__ import annotations

import argparse
import os
import sys
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from common.contracts import datasets
from common.contracts.datasets import Dataset
from common.days import DAY, FORM, FORMS, HOUR, begun_days, current
from common.errors import UsageError
from common.runtime.command_line import CommandLine
from common.runtime.environments import ROOT, require_environment
from common.runtime.locations import resolve

# In place of a period: the one that it is now.
NOW = "now"
NOW_IS_USUAL = " (default: the one that it is now)"


@dataclass(frozen=True)
class Asked:
    """What is typed for one dataset, as far as it can be checked without reading the lake."""

    dataset: Dataset
    days: list[date]
    env: str
    roots: dict[str, str | None]


def asked(options: dict[str, Any]) -> Asked:
    """Take what every job is asked for out of its options; raise if it can't be meant."""
    roots = {name: _place(name, options.pop(name)) for name in ("lake", "landing")}
    env = options.pop("env")
    require_environment(env)
    dataset = datasets.load(options.pop("dataset"))
    every, ds = dataset.contract.every, options.pop("ds")
    days = begun_days(str(current(every)) if ds == NOW else ds, options.pop("long_range"), every)
    return Asked(dataset, days, env, roots)


def said_day(typed: str) -> str:
    """What a failure's line calls the period, which the dataset may not have been loaded to tell."""
    return str(current(DAY)) if typed == NOW else typed


def _place(name: str, typed: str | None) -> str | None:
    """The place that is typed, absolute; None if it is for the environment or conf to say."""
    if typed is not None:
        return resolve(f"--{name}", typed, Path.cwd())
    if (variable := os.environ.get(name.upper())) is not None:
        resolve(name.upper(), variable, ROOT)
    return None


def parser(
    job: str,
    day: str = "--ds",
    example: str = "",
    usual_day: str | None = None,
    instead: tuple[str, str] | None = None,
    **dataset: Any,
) -> argparse.ArgumentParser:
    """Its description is the docstring of the program that runs; `example` is an option to show in the examples.

    `instead` is an option, with its help, that may be given in place of the day.
    """
    arguments = CommandLine(prog=f"jobs/{job}.py", description=sys.modules["__main__"].__doc__)
    words = f".venv/bin/spark-submit jobs/{job}.py --dataset {_some_dataset()} {example}".strip()
    arguments.with_help(f"{words} {day} 2026-01-05", f"{words} {day} 2026-01-05..2026-01-06")
    arguments.add_argument("--dataset", required=True, help="the dataset: a folder name in jobs/datasets", **dataset)
    what = arguments.add_mutually_exclusive_group(required=True) if instead else arguments
    if instead:
        option, meaning = instead
        what.add_argument(option, metavar="NAME", help=meaning)
    what.add_argument(
        day,
        dest="ds",
        required=usual_day is None,
        default=usual_day,
        help=f"the logical day: {FORM}; of an hourly one {FORMS[HOUR]}{'' if instead or not usual_day else NOW_IS_USUAL}",
    )
    arguments.add_argument("--lake", help="root folder or URL of the tables (default: $LAKE, then conf/<env>.yml)")
    arguments.add_argument("--landing", help="root folder of the source files (default: $LANDING, then conf/<env>.yml)")
    arguments.add_argument("--env", default="local", help="read the settings in conf/<env>.yml (default: local)")
    arguments.add_argument("--full-refresh", action="store_true", help="recompute days that are already up to date")
    arguments.add_argument("--long-range", action="store_true", help="allow a range of more than a year")
    return arguments


def chain_parser() -> argparse.ArgumentParser:
    return parser("backfill", nargs="+")


def _some_dataset() -> str:
    """For the examples; what is wrong with the datasets is told when the command runs."""
    try:
        return datasets.names()[0]
    except (UsageError, IndexError):
        return "NAME"
