"""Erases one entity from all that was made of a dataset, old versions too. Shows what it would do, unless --apply is given."""

from __future__ import annotations

import sys

from common.erasure.erase import Erasure, shown
from common.erasure.person import Person
from common.errors import UsageError
from common.orchestration.cli import run_whole
from common.orchestration.job import Line
from common.runtime.run import Run
from jobs.arguments import parser_of


def erase(runs: list[Run]) -> Line:
    run, options = runs[-1], runs[-1].options
    if options["yes"] and not options["apply"]:
        raise UsageError("--yes answers what --apply asks; expected both or neither. Nothing was touched")
    erasure = Erasure(run, Person.of(run.contract, options["entity"]))
    found = erasure.look()
    erasure.require_found(found)
    line = {"job": "erase", "dataset": run.contract.name, "ds": str(run.ds), "counts": found.counts, "written": {}}
    line |= {"run_id": run.run_id, "tables": shown(found)}
    if not options["apply"]:
        return {**line, "outcome": "planned"}
    if not options["yes"] and not agreed(found.counts):
        return {**line, "outcome": "planned"}
    report = erasure.apply(found)
    line["written"] = erasure.versions(found)
    return {**line, "outcome": "done" if found else "nothing", **{name: report[name] for name in TOLD}}


TOLD = ("pins", "training_sets", "searched", "out_of_reach", "report")


def agreed(counts: dict[str, int]) -> bool:
    if not sys.stdin.isatty():
        raise UsageError(
            "--apply asks before it erases, and nobody is there to answer; pass --yes to erase without asking. Nothing was "
            "touched"
        )
    words = ", ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in counts.items() if count)
    print(f"Erase {words or 'what is left'}? There is no way back. [y/n] ", end="", file=sys.stderr, flush=True)
    return input().strip().lower() in ("y", "yes")


if __name__ == "__main__":
    run_whole("erase", parser_of("erase"), erase)
