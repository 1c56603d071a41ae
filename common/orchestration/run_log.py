"""The run log: one small JSON file per dataset, job and day, with the last result and the last failure.

The tables' commits are the source of truth. Losing the log only makes the next runs take longer.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

from common.lake.files import list_files, read_json, write_json

if TYPE_CHECKING:
    from common.runtime.run import Run

FOLDER = "runs"
RESULTS = "results"


@dataclass(frozen=True)
class RunRecord:
    line: dict[str, Any] = field(default_factory=dict)
    depends: dict[str, int] = field(default_factory=dict)
    source: str = ""
    code: str = ""
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


def save(run: Run, line: dict[str, Any], depends: dict[str, int], source: str) -> None:
    write_json(
        _path(run),
        {"line": line, "depends": depends, "source": source, "code": run.code, "at": _now(), "failure": None},
    )


def save_failure(run: Run, failure: dict[str, Any]) -> None:
    """Record a failure beside the last good result; a lake that cannot be written must not hide the failure."""
    try:
        write_json(_path(run), {**(read_json(_path(run)) or {}), "failure": {**failure, "at": _now()}})
    except OSError as error:
        run.log.warning("could not record the failure in the run log: %s", error)


def results_place(lake: str, dataset: str, table: str, ds: object) -> str:
    """Return the path of the validation results of one day of a table."""
    return f"{lake}/{RESULTS}/{dataset}/{table}/{ds}.json"


def days_run(lake: str, dataset: str, job: str) -> list[date]:
    """Return the days on which the job has run, successfully or not."""
    names = [file.base_name for file in list_files(f"{lake}/{FOLDER}/{dataset}/{job}")]
    return [date.fromisoformat(name.removesuffix(".json")) for name in names if name.endswith(".json")]


def copy(run: Run, other: Run, job: str, days: list[date]) -> None:
    """Copy the job's records of those days to the lake of another run."""
    for day in set(days) & set(days_run(run.settings.lake, run.contract.name, job)):
        target = replace(other, job=job, ds=day)
        record = load_other(run, job, day)
        save(target, {**record.line, "run_id": target.run_id}, record.depends, "")


def load_other(run: Run, job: str, ds: date) -> RunRecord:
    """Return the record of another job and day of the same dataset."""
    return load(replace(run, job=job, ds=ds))


def still_stale(run: Run, record: RunRecord) -> list[str]:
    """Return the days that the last good run made stale and whose features have not run since."""
    return [
        day
        for day in record.line.get("stale", [])
        if load_other(run, "features", date.fromisoformat(day)).at < record.at
    ]


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
        content.get("depends", {}),
        content.get("source", ""),
        content.get("code", ""),
        content.get("at", ""),
        content.get("failure"),
    )


def _path(run: Run) -> str:
    return f"{run.settings.lake}/{FOLDER}/{run.contract.name}/{run.job}/{run.ds}.json"


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
