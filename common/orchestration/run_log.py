"""The run log: one small JSON file per dataset, job and day, with the last result and the last failure.

It is for people: the tables' commits say what ran. Losing the log loses messages, and nothing else.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

from common.days import from_text
from common.errors import PipelineError
from common.lake.storage.files import list_files, read_json, write_json

if TYPE_CHECKING:
    from common.runtime.run import Run

FOLDER = "runs"
RESULTS = "results"


@dataclass(frozen=True)
class RunRecord:
    line: dict[str, Any] = field(default_factory=dict)
    at: str = ""
    failure: dict[str, Any] | None = None

    @property
    def done(self) -> bool:
        return bool(self.line) and self.failure is None

    @property
    def run_id(self) -> str:
        return str(self.line.get("run_id", ""))


def load(run: Run) -> RunRecord:
    return _record(read_json(_path(run)) or {})


def save(run: Run, line: dict[str, Any]) -> None:
    write_json(_path(run), {"line": line, "at": _now(), "failure": None})


def save_failure(run: Run, failure: dict[str, Any]) -> None:
    """Record a failure beside the last good result; a lake that cannot be written must not hide the failure."""
    try:
        write_json(_path(run), {**(read_json(_path(run)) or {}), "failure": {**failure, "at": _now()}})
    except (OSError, PipelineError) as error:
        run.log.warning("could not record the failure in the run log: %s", error)


def results_place(lake: str, dataset: str, table: str, ds: object) -> str:
    """Return the path of the validation results of one day of a table."""
    return f"{lake}/{RESULTS}/{dataset}/{table}/{ds}.json"


def days_run(lake: str, dataset: str, job: str) -> list[date]:
    """Return the days on which the job has run, successfully or not."""
    names = [file.base_name for file in list_files(f"{lake}/{FOLDER}/{dataset}/{job}")]
    return [from_text(name.removesuffix(".json")) for name in names if _is_ours(name)]


def recent(lake: str, dataset: str, job: str, count: int) -> list[RunRecord]:
    """The records of the last days on which the job has run."""
    base = f"{lake}/{FOLDER}/{dataset}/{job}"
    return [_record(read_json(f"{base}/{day}.json") or {}) for day in days_run(lake, dataset, job)[-count:]]


def records_of(lake: str, dataset: str) -> dict[tuple[str, str], RunRecord]:
    """Return all records of a dataset by (day, job)."""
    records = {}
    base = f"{lake}/{FOLDER}/{dataset}"
    for file in list_files(base, recursive=True):
        job, name = file.path.split("/")[-2:]
        if _is_ours(name):
            records[(name.removesuffix(".json"), job)] = _record(read_json(f"{base}/{job}/{name}") or {})
    return records


def _is_ours(name: str) -> bool:
    """Whether a file is a period's; what anybody else puts there is no record."""
    try:
        return name == f"{from_text(name.removesuffix('.json'))}.json"
    except ValueError:
        return False


def _record(content: dict[str, Any]) -> RunRecord:
    """Parts that nobody can have written so are as lost as a file that is damaged."""
    line, at, failure = (content.get(name) for name in ("line", "at", "failure"))
    told = isinstance(failure, dict) and isinstance(failure.get("message"), str)
    return RunRecord(
        line if isinstance(line, dict) and _is_line(line) else {},
        at if isinstance(at, str) and _is_moment(at) else "",
        failure if told else None,
    )


def _is_line(line: dict[str, Any]) -> bool:
    numbers = [line.get("seconds", 0), *(_values(line.get(name, {})) for name in ("counts", "written"))]
    flat = [each for part in numbers for each in (part if isinstance(part, list) else [part])]
    return all(isinstance(each, int | float) and math.isfinite(each) for each in flat) and all(
        isinstance(each, dict) for each in line.get("warnings") or []
    )


def _values(numbers: Any) -> list[Any]:
    return [*numbers.values()] if isinstance(numbers, dict) else [None]


def _is_moment(text: str) -> bool:
    try:
        return datetime.fromisoformat(text) is not None
    except ValueError:
        return False


def _path(run: Run) -> str:
    return f"{run.settings.lake}/{FOLDER}/{run.contract.name}/{run.job}/{run.ds}.json"


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
