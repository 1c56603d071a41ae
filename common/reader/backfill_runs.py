"""Runs planned days through jobs/backfill.py."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from common.days import range_text
from common.reader.places import spark_submit
from common.runtime.settings import ROOT, Settings

if TYPE_CHECKING:
    from common.planning.plan import DatasetPlan


def commands(plans: Sequence[DatasetPlan], settings: Settings) -> list[list[str]]:
    """One backfill for each range of days; datasets with the same range run side by side."""
    by_range: dict[str, list[str]] = {}
    for plan in plans:
        for first, last in [] if plan.refused else plan.ranges():
            by_range.setdefault(range_text(first, last), []).append(plan.name)
    roots = ["--lake", settings.lake, "--landing", settings.landing, "--env", settings.env, "--long-range"]
    backfill = [spark_submit(), str(ROOT / "jobs/backfill.py"), *roots] if by_range else []
    return [[*backfill, "--dataset", *names, "--ds", days] for days, names in by_range.items()]


def run(each: Sequence[list[str]], environment: Mapping[str, str] | None = None) -> tuple[list[dict[str, Any]], int]:
    """Their JSON lines, up to the first that fails, and its exit code."""
    lines: list[dict[str, Any]] = []
    for command in each:
        variables = {**os.environ, **(environment or {})}
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False, env=variables)
        lines.append(json.loads(done.stdout.splitlines()[-1]) if done.stdout else {})
        if done.returncode:
            return lines, done.returncode
    return lines, 0


def outcome(lines: Sequence[dict[str, Any]]) -> str:
    return "\n".join(
        f"{line.get('dataset', '?')} {line.get('ds', '?')}: {line.get('outcome', 'failed')}"
        + (f" ({line['message']})" if "message" in line else "")
        for line in lines
    )
