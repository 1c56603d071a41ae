"""Write the page of mentions from the published tables, and print its path: it opens from disk and loads itself anew."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

from common.console import page
from common.days import day_range
from common.errors import UsageError, exit_on_error
from common.lake.storage.files import write_text
from common.names import whole_number
from common.printable import printable
from common.published.catalog import Lake
from common.reports.beside import beside_lake
from common.runtime.command_line import CommandLine
from common.runtime.locations import out_file
from common.runtime.settings import Settings, load_settings
from jobs.datasets.mentions.contract import CONTRACT

NAME = "mentions.html"
ASSETS = Path(__file__).parent / "assets"
SCRIPTS = (page.ASSETS / "dom.js", page.ASSETS / "charts.js", ASSETS / "mentions.js")
HOURS, MOST_HOURS = 48, 24 * 31
# What counts as a spike: so many mentions, and so many times those of the same hour on the day before.
LEAST, TIMES = 5, 3
FEATURES = [feature.name for feature in CONTRACT.features.columns]


def write_dashboard(settings: Settings, file: Path, hours: int = HOURS) -> Path:
    made = {"made": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC", "lake": printable(settings.lake)}
    facts = {**made, "least": LEAST, "times": TIMES, "hours": [], "products": [], **_published(settings, hours)}
    write_text(str(file), page.page_of(facts, ASSETS / "page.html", SCRIPTS))
    return file


def _published(settings: Settings, hours: int) -> dict[str, Any]:
    lake, name = Lake(settings.lake), f"{CONTRACT.name}@v{CONTRACT.features.version}"
    if name not in lake.tables():
        return {}
    table = lake.features(name)
    view = table.at()
    first, last = min(view.days()), max(view.days())
    shown = [hour for hour in day_range(last, hours - 1) if hour >= first]
    rows = view.arrow(days=(shown[0], shown[-1]))
    return {
        "published": table.versions()[0].at.isoformat(),
        "hours": [str(hour) for hour in shown],
        "products": _products(rows, [str(hour) for hour in shown]),
    }


def _products(rows: pa.Table, hours: list[str]) -> list[dict[str, Any]]:
    """Each product's features by hour, the most spoken of first; none in an hour without a row."""
    place = {hour: number for number, hour in enumerate(hours)}
    found: dict[str, dict[str, Any]] = {}
    for row in rows.to_pylist():
        product = found.setdefault(
            row["product"], {"name": row["product"], **{name: [None] * len(hours) for name in FEATURES}}
        )
        for name in FEATURES:
            product[name][place[row["ds"]]] = row[name]
    for product in found.values():
        product["spiking"] = list(map(is_spike, product["mentions_1h"], product["spike_1h"]))
        product["pending_7d"] = [None if value is None else int(value) for value in product["pending_7d"]]
    return sorted(found.values(), key=lambda product: (-(product["mentions_7d"][-1] or 0), product["name"]))


def is_spike(mentions: int | None, times: float | None) -> bool:
    return (mentions or 0) >= LEAST and (times or 0) >= TIMES


@exit_on_error()
def main() -> None:
    parser = CommandLine(prog="python -m jobs.datasets.mentions.dashboard", description=__doc__)
    parser.with_help(".venv/bin/python -m jobs.datasets.mentions.dashboard --hours 168")
    parser.add_argument("--out", type=out_file, help=f"the file to write (default: {NAME} beside the lake)")
    parser.add_argument("--hours", type=whole_number, default=HOURS, help=f"how many hours to show (default: {HOURS})")
    parser.add_argument("--env", default="local", help="read the settings in conf/<env>.yml (default: local)")
    arguments = parser.parse_args()
    if not 1 <= arguments.hours <= MOST_HOURS:
        raise UsageError(f"--hours {arguments.hours} is out of range; give a number from 1 to {MOST_HOURS}")
    settings = load_settings(arguments.env)
    file = arguments.out or beside_lake(settings.lake) / NAME
    print(printable(write_dashboard(settings, file, arguments.hours)))


if __name__ == "__main__":
    main()
