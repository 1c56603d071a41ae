"""The run log: one small JSON file per dataset, job and day, with the last result and the last failure.

It is for people: the tables' commits say what ran. Losing the log loses messages, and nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

from common.days import from_text
from common.errors import StorageUnreachableError
from common.lake.files import list_files, read_json, write_json

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
    except (OSError, StorageUnreachableError) as error:
        run.log.warning("could not record the failure in the run log: %s", error)


def results_place(lake: str, dataset: str, table: str, ds: object) -> str:
    """Return the path of the validation results of one day of a table."""
    return f"{lake}/{RESULTS}/{dataset}/{table}/{ds}.json"


def days_run(lake: str, dataset: str, job: str) -> list[date]:
    """Return the days on which the job has run, successfully or not."""
    names = [file.base_name for file in list_files(f"{lake}/{FOLDER}/{dataset}/{job}")]
    return [from_text(name.removesuffix(".json")) for name in names if name.endswith(".json")]


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
        if name.endswith(".json"):
            records[(name.removesuffix(".json"), job)] = _record(read_json(f"{base}/{job}/{name}") or {})
    return records


def _record(content: dict[str, Any]) -> RunRecord:
    return RunRecord(
        content.get("line", {}),
        content.get("at", ""),
        content.get("failure"),
    )


def _path(run: Run) -> str:
    return f"{run.settings.lake}/{FOLDER}/{run.contract.name}/{run.job}/{run.ds}.json"


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
