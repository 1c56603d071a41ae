"""Write the console, one page without a server or a network, and print its path: `python -m common.console.page`."""

from __future__ import annotations

import base64
import hashlib
import json
import math
import os
import re
from argparse import Namespace
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

from common.console import (
    column_graph,
    day_states,
    declared,
    distributions,
    feature_pages,
    grid,
    refusals,
    rule_history,
    training_pages,
)
from common.console.grid import Facts
from common.contracts import datasets
from common.contracts.contract import Contract
from common.contracts.documents import odcs
from common.contracts.sensitive import sensitive_names
from common.errors import UsageError, exit_on_error
from common.lake import pins
from common.lake.storage.files import local_path, write_text
from common.printable import printable
from common.quality import gx
from common.reports.beside import beside_lake
from common.reports.status import STEPS
from common.runtime.command_line import CommandLine
from common.runtime.garbage import collecting_nothing
from common.runtime.locations import out_folder
from common.runtime.settings import Settings, load_settings

NAME = "console"
PAGE = "index.html"
ASSETS = Path(__file__).parent / "assets"
NAMES = ("dom.js", "charts.js", "calendar.js", "dataset.js", "features.js", "lineage.js", "training.js", "console.js")
SCRIPTS = tuple(ASSETS / name for name in NAMES)
DAYS, WINDOW = 400, 30
MOST_DAYS = 4000
COLUMNS = ("raw", "features")


def write_console(settings: Settings, folder: Path, days: int = DAYS) -> list[Path]:
    """The page, and beside it each contract as a document of the Open Data Contract Standard, which it links."""
    found: list[Facts] = []
    contracts: dict[str, Contract] = {}
    for name in datasets.names():
        try:
            dataset = day_states.soundly_loaded(name)
            found.append(_dataset(day_states.days_of(dataset, settings, days), settings))
        except UsageError as error:
            found.append({"name": name, "fault": printable(error)})
            continue
        contracts[name] = dataset.contract
    documents = {f"{name}.odcs.yaml": odcs.as_yaml(contract) for name, contract in contracts.items()}
    facts = {
        "made": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        "lake": printable(settings.lake),
        "docs": _data_docs(settings.lake, folder),
        "steps": STEPS,
        "datasets": found,
        **_features(settings, contracts),
    }
    texts = {PAGE: page_of(facts), **documents}
    for file, text in texts.items():
        write_text(str(folder / file), text)
    return [folder / file for file in texts]


def _dataset(days: day_states.DatasetDays, settings: Settings) -> Facts:
    contract, lake = days.contract, settings.lake
    window = days.shown[-WINDOW:]
    return {
        "name": contract.name,
        "description": contract.description,
        "owner": contract.owner,
        "every": contract.every,
        "tags": contract.tags,
        "refused": printable(days.plan.refused),
        "fresh": contract.freshness.hours,
        "table": f"{contract.name}@v{contract.features.version}",
        "grid": grid.grid_facts(days),
        "commands": grid.commands(contract.name, contract.every),
        "rules": rule_history.rule_facts(lake, contract.name, window),
        "refusals": refusals.refusal_facts(lake, contract, days.shown, window),
        "statistics": distributions.column_facts(lake, contract, window),
        "contract": declared.contract_facts(contract),
        "lineage": column_graph.graph_facts(days.dataset),
    }


def _features(settings: Settings, contracts: Mapping[str, Contract]) -> Facts:
    lake = settings.lake
    manifests, pinned = training_pages.all_manifests(lake), pins.pins(lake)
    tables = {table.name: table for table in feature_pages.tables_of(lake)}
    shown = [
        {
            **feature_pages.feature_facts(
                table, tables.get(f"{table.dataset}@v{table.number - 1}"), contracts.get(table.dataset)
            ),
            "uses": feature_pages.uses(table, manifests, pinned, settings),
        }
        for table in tables.values()
    ]
    sensitive = frozenset().union(*(sensitive_names(each, name) for each in contracts.values() for name in COLUMNS))
    return {"features": shown, "training_sets": training_pages.training_facts(manifests, sensitive)}


def _data_docs(lake: str, folder: Path) -> str:
    index = local_path(lake) / gx.PAGE
    return quote(os.path.relpath(index, folder)) if index.is_file() else ""


def page_of(
    facts: Mapping[str, Any],
    template: Path = ASSETS / "page.html",
    scripts: Sequence[Path] = SCRIPTS,
) -> str:
    """The data stands in the page as JSON that no parser of HTML can leave; only our own script may run."""
    data = json.dumps(shown(facts), separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    for sign in "<>&\u2028\u2029":
        data = data.replace(sign, f"\\u{ord(sign):04x}")
    script = "\n".join(["'use strict';", *map(_text, scripts)])
    parts = {"style": _text(ASSETS / "console.css"), "script": script, "digest": _digest(script), "data": data}
    return re.sub(r"@(\w+)@", lambda place: parts[place[1]], _text(template))


def shown(value: Any) -> Any:
    """Without characters that turn or hide what stands beside them, and numbers that are none; lines stay lines."""
    if isinstance(value, str):
        return "\n".join(map(printable, value.split("\n")))
    if isinstance(value, Mapping):
        return {shown(str(name)): shown(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [shown(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _text(file: Path) -> str:
    return file.read_text(encoding="utf-8").strip()


def _digest(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()


def _arguments() -> Namespace:
    parser = CommandLine(prog="python -m common.console.page", description=__doc__)
    parser.with_help("make console", ".venv/bin/python -m common.console.page --out data/console --days 90")
    parser.add_argument("--out", type=out_folder, help=f"folder to write to (default: {NAME} beside the lake)")
    parser.add_argument("--days", type=int, default=DAYS, help=f"how many days, or hours, to show (default: {DAYS})")
    parser.add_argument("--env", default="local", help="read the settings in conf/<env>.yml (default: local)")
    return parser.parse_args()


@exit_on_error()
def main() -> None:
    arguments = _arguments()
    if not 1 <= arguments.days <= MOST_DAYS:
        raise UsageError(f"--days {arguments.days} is out of range; give a number from 1 to {MOST_DAYS}")
    settings = load_settings(arguments.env)
    with collecting_nothing():
        written = write_console(settings, arguments.out or beside_lake(settings.lake) / NAME, arguments.days)
    for path in written:
        print(printable(path))


if __name__ == "__main__":
    main()
