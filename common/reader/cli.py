"""The published features, without Spark: which there are, what made them, their rows, what changed, and what is kept."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path

from common.errors import ContractViolationError, PipelineError
from common.published.catalog import Lake
from common.reader import commands, lineage_commands
from common.reader.output import Output
from common.reader.places import lake_uri


def _count(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is no count; expected a number from 0")
    return int(text)


def _parser() -> argparse.ArgumentParser:
    everywhere = argparse.ArgumentParser(add_help=False)
    everywhere.add_argument("--lake", help="where the tables are (default: LAKE, then conf)")
    everywhere.add_argument("--json", action="store_true", help="one JSON object instead of tables")
    parser = argparse.ArgumentParser(prog="features", description=__doc__, allow_abbrev=False)
    subparsers = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, run: Callable[[Lake, argparse.Namespace], Output], words: str) -> argparse.ArgumentParser:
        found = subparsers.add_parser(name, parents=[everywhere], help=words, description=words)
        found.set_defaults(run=run)
        return found

    def with_version(found: argparse.ArgumentParser) -> argparse.ArgumentParser:
        found.add_argument("table", metavar="TABLE", help="name@vN; without @vN the newest feature version")
        one = found.add_mutually_exclusive_group()
        one.add_argument("--version", type=int, help="as of this version (default: as it is now)")
        one.add_argument("--as-of", metavar="TIME", help="as it was then: 2026-02-01T06:00, UTC if no zone is given")
        one.add_argument("--pin", metavar="NAME", help="as it was pinned")
        return found

    command("list", commands.list_tables, "every published table")
    found = command("log", commands.log, "the versions of a table, newest first")
    found.add_argument("table", metavar="TABLE")
    found.add_argument("--long", action="store_true", help="with what made each: columns, definition, sources")
    found = with_version(command("show", commands.show, "rows of a day (the newest, if none is named)"))
    found.add_argument("--ds", help="a day, or A..B")
    found.add_argument("--entity", action="append", metavar="ID", help="only this one, of all days; may be repeated")
    found.add_argument("--columns", metavar="A,B", help="only these")
    found.add_argument("--limit", type=_count, default=20, help="so many rows (default: %(default)s)")
    found = with_version(command("get", commands.get, "rows to a file"))
    found.add_argument("--ds", help="a day, or A..B; else all days")
    found.add_argument("--out", type=Path, required=True, metavar="FILE", help=".parquet, .csv or .arrow")
    found = command("diff", commands.diff, "what changed from one version to another")
    found.add_argument("table", metavar="TABLE")
    found.add_argument("before", type=int, metavar="BEFORE")
    found.add_argument("after", type=int, metavar="AFTER")
    found.add_argument("--ds", help="a day, or A..B; else all days")
    found = with_version(command("why", lineage_commands.why, "which run, sources and events made a row"))
    found.add_argument("--entity", required=True, metavar="ID", help="whose row")
    found.add_argument("--ds", required=True, help="of which day")
    found = command(
        "reproduce", lineage_commands.reproduce, "make what a run made again, from its sources, and compare"
    )
    found.add_argument("run_id", metavar="RUN")
    found = command("vector", lineage_commands.vector, "one entity's row from the online store")
    found.add_argument("table", metavar="TABLE")
    found.add_argument("entity", metavar="ID")
    found.add_argument("--training-set", metavar="NAME", help="with the steps that were fitted for it")
    found = command("pin", commands.pin, "keep a version under a name")
    found.add_argument("name", metavar="NAME")
    with_version(found).add_argument("--note", default="", help="why")
    command("pins", commands.list_pins, "what is pinned")
    command("release", commands.release, "let a pinned version go").add_argument("name", metavar="NAME")
    command("verify", commands.verify, "read a pinned version again, and compare").add_argument("name", metavar="NAME")
    return parser


def main(argv: list[str] | None = None) -> int:
    given = _parser().parse_args(argv)
    try:
        answer: Output = given.run(Lake(lake_uri(given.lake)), given)
    except PipelineError as error:
        print(error, file=sys.stderr)
        if given.json:
            failures = error.failures if isinstance(error, ContractViolationError) else []
            print(json.dumps({"error": str(error), "exit_code": error.exit_code, "failures": failures}, default=str))
        return error.exit_code
    answer.print(given.json)
    for warning in answer.warnings:
        print(warning, file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
