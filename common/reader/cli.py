"""Read published features without Spark: list, show and export them, compare versions, trace rows and pin versions."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from common.days import begun_days, kind_of_text
from common.errors import INTERRUPTED, ContractViolationError, PipelineError
from common.lake.storage.store_errors import explaining
from common.names import whole_number
from common.printable import printable
from common.published.catalog import Lake
from common.reader import commands, lineage_commands, plan_command
from common.reader.completion import complete
from common.reader.output import Output
from common.reader.places import lake_uri
from common.runtime.command_line import CommandLine


def _parser() -> argparse.ArgumentParser:
    common = CommandLine(add_help=False)
    common.add_argument("--lake", help="where the tables are (default: LAKE, then conf)")
    common.add_argument("--json", action="store_true", help="print one JSON object instead of tables")
    parser = CommandLine(prog="features", description=__doc__)
    examples = ("list", "show NAME --ds 2026-01-05", "get NAME@v1 --out rows.parquet", "plan --dataset NAME")
    parser.with_help(*(f"features {example}" for example in examples))
    subparsers = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(
        name: str, run: Callable[[Lake, argparse.Namespace], Output], help_text: str
    ) -> argparse.ArgumentParser:
        subparser = subparsers.add_parser(name, parents=[common], help=help_text, description=help_text)
        subparser.set_defaults(run=run)
        return subparser

    def with_version(subparser: argparse.ArgumentParser) -> argparse.ArgumentParser:
        subparser.add_argument("table", metavar="TABLE", help="name@vN (without @vN: the newest feature version)")
        one = subparser.add_mutually_exclusive_group()
        one.add_argument("--version", type=whole_number, help="the table at this version (default: the newest)")
        one.add_argument(
            "--as-of", metavar="TIME", help="the table at this time, e.g. 2026-02-01T06:00 (UTC unless a zone is given)"
        )
        one.add_argument("--pin", metavar="NAME", help="the table as pinned under this name")
        return subparser

    command("list", commands.list_tables, "list the published tables")
    subparser = command("log", commands.log, "list the versions of a table, newest first")
    subparser.add_argument("table", metavar="TABLE")
    subparser.add_argument(
        "--long", action="store_true", help="add the columns, definition and sources of each version"
    )
    subparser = with_version(command("show", commands.show, "show rows of a day (default: the newest)"))
    subparser.add_argument("--ds", help="a day or a range A..B")
    subparser.add_argument(
        "--entity", action="append", metavar="ID", help="only this entity, on all days; may be repeated"
    )
    subparser.add_argument("--columns", metavar="A,B", help="only these columns")
    subparser.add_argument(
        "--limit", type=whole_number, default=20, help="show at most this many rows (default: %(default)s)"
    )
    subparser = with_version(command("get", commands.get, "write rows to a file"))
    subparser.add_argument("--ds", help="a day or a range A..B (default: all days)")
    subparser.add_argument(
        "--out", type=Path, required=True, metavar="FILE", help="file to write: .parquet, .csv or .arrow"
    )
    subparser.add_argument(
        "--keep-formulas",
        action="store_true",
        help="in a .csv, leave text as it is that a spreadsheet would run as a formula (it starts with = + - @, a tab or a "
        "line break); by default it gets a ' in front; numbers are never changed",
    )
    subparser = command("diff", commands.diff, "show what changed between two versions")
    subparser.add_argument("table", metavar="TABLE")
    subparser.add_argument("before", type=whole_number, metavar="BEFORE")
    subparser.add_argument("after", type=whole_number, metavar="AFTER")
    subparser.add_argument("--ds", help="a day or a range A..B (default: all days)")
    subparser = with_version(
        command("why", lineage_commands.why, "show the run, sources and events that a row comes from")
    )
    subparser.add_argument("--entity", required=True, metavar="ID", help="the entity of the row")
    subparser.add_argument("--ds", required=True, help="the day of the row")
    words = "recompute the rows of a run from its sources and compare them (needs Spark)"
    command("reproduce", lineage_commands.reproduce, words).add_argument("run_id", metavar="RUN")
    _add_vector(command("vector", lineage_commands.vector, "show one entity's row from the online store"))
    words = "show the JSON Schema of what a command prints with --json"
    command("schema", commands.schema, words).add_argument("of", metavar="COMMAND")
    subparser = command("pin", commands.pin, "keep a version under a name, safe from vacuum")
    subparser.add_argument("name", metavar="NAME")
    with_version(subparser).add_argument("--note", default="", help="why it is pinned")
    _add_plan(command("plan", plan_command.plan, "show what a backfill would run, why, and what it costs"))
    command("pins", commands.list_pins, "list the pins")
    command("release", commands.release, "remove a pin").add_argument("name", metavar="NAME")
    command("verify", commands.verify, "check that a pinned version still has the same rows").add_argument(
        "name", metavar="NAME"
    )
    return parser


def _add_vector(subparser: argparse.ArgumentParser) -> None:
    subparser.add_argument("table", metavar="TABLE")
    subparser.add_argument("entity", metavar="ID")
    subparser.add_argument("--training-set", metavar="NAME", help="apply the steps fitted for this training set")


def _add_plan(subparser: argparse.ArgumentParser) -> None:
    subparser.add_argument("--dataset", nargs="+", default=[], metavar="NAME", help="only these (default: all)")
    subparser.add_argument("--ds", help="a day or a range A..B (default: every day that has landed)")
    subparser.add_argument("--landing", help="root folder of the source files (default: LANDING, then conf)")
    subparser.add_argument("--env", default="local", help="read the settings in conf/<env>.yml (default: local)")
    subparser.add_argument("--long-range", action="store_true", help="allow a range of more than a year")
    subparser.add_argument(
        "--since-revision",
        metavar="REV",
        help="what the working tree changes against a revision, without a lake: for CI",
    )
    subparser.add_argument("--apply", action="store_true", help="ask, then run these steps")
    subparser.add_argument(
        "--through",
        choices=("backfill", "airflow"),
        default="backfill",
        help="with --apply: by jobs/backfill.py here, or by the Airflow at AIRFLOW_URL (default: backfill)",
    )
    subparser.add_argument("--yes", action="store_true", help="with --apply: do not ask")
    subparser.add_argument(
        "--trial",
        metavar="NAME",
        help="run the steps of these days (default: the newest three) on a copy, and show what would be published otherwise",
    )
    subparser.add_argument("--drop", action="store_true", help="with --trial: remove that copy")


def main(argv: list[str] | None = None) -> int:
    arguments = argparse.Namespace(json=False)
    parser = _parser()
    complete(parser)
    try:
        parser.parse_args(argv, arguments)
        if ds := getattr(arguments, "ds", None):
            begun_days(ds, long_range=True, every=kind_of_text(ds))
        with explaining():
            output: Output = arguments.run(Lake(lake_uri(arguments.lake)), arguments)
        output.print(arguments.json)
    except PipelineError as error:
        failures = error.failures if isinstance(error, ContractViolationError) else []
        return _failed(arguments, str(error), error.exit_code, failures)
    except KeyboardInterrupt:
        return _failed(arguments, "interrupted; a file or a pin is written whole or not at all", INTERRUPTED)
    for warning in output.warnings:
        print(printable(warning), file=sys.stderr)
    return output.exit_code


def _failed(arguments: argparse.Namespace, message: str, code: int, failures: Sequence[object] = ()) -> int:
    print(printable(message), file=sys.stderr)
    if arguments.json:
        print(json.dumps({"error": message, "exit_code": code, "failures": failures}, default=str))
    return code


if __name__ == "__main__":
    sys.exit(main())
