"""The log of runs: for each dataset, job and day the last result and the last failure, one small file each.

It is a log, not the truth: the truth is in the tables' commits. Without it, runs only take longer.
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
    return _record(read_json(_place(run)) or {})


def save(run: Run, line: dict[str, Any], depends: dict[str, int], source: str) -> None:
    write_json(
        _place(run),
        {"line": line, "depends": depends, "source": source, "code": run.code, "at": _now(), "failure": None},
    )


def save_failure(run: Run, failure: dict[str, Any]) -> None:
    """Keeps the last good result beside the failure; a lake that can't be written must not hide the failure itself."""
    try:
        write_json(_place(run), {**(read_json(_place(run)) or {}), "failure": {**failure, "at": _now()}})
    except OSError as error:
        run.log.warning("the failure could not be filed in the log of runs: %s", error)


def results_place(lake: str, dataset: str, table: str, ds: object) -> str:
    """Where the verdicts on a day of a table are."""
    return f"{lake}/{RESULTS}/{dataset}/{table}/{ds}.json"


def days_run(lake: str, dataset: str, job: str) -> list[date]:
    """The days on which the job has run, whatever came of it last."""
    names = [each.base_name for each in list_files(f"{lake}/{FOLDER}/{dataset}/{job}")]
    return [date.fromisoformat(name.removesuffix(".json")) for name in names if name.endswith(".json")]


def copy(run: Run, other: Run, job: str, wanted: list[date]) -> None:
    """Tells another lake that the job has run on those days."""
    for day in set(wanted) & set(days_run(run.settings.lake, run.contract.name, job)):
        there = replace(other, job=job, ds=day)
        record = load_other(run, job, day)
        save(there, {**record.line, "run_id": there.run_id}, record.depends, "")


def load_other(run: Run, job: str, ds: date) -> RunRecord:
    """Another job's record, of that day."""
    return load(replace(run, job=job, ds=ds))


def still_stale(run: Run, record: RunRecord) -> list[str]:
    """The days that the last good run made out of date and that have no features of later than that."""
    return [
        day
        for day in record.line.get("stale", [])
        if load_other(run, "features", date.fromisoformat(day)).at < record.at
    ]


def line_of(run: Run, job: str) -> dict[str, Any]:
    """What another job's last good run of the same day said."""
    return load_other(run, job, run.ds).line


def records_of(lake: str, dataset: str) -> dict[tuple[str, str], RunRecord]:
    """Every record by (day, job)."""
    found = {}
    base = f"{lake}/{FOLDER}/{dataset}"
    for each in list_files(base, recursive=True):
        job, name = each.path.split("/")[-2:]
        if name.endswith(".json"):
            found[(name.removesuffix(".json"), job)] = _record(read_json(f"{base}/{job}/{name}") or {})
    return found


def _record(content: dict[str, Any]) -> RunRecord:
    return RunRecord(
        content.get("line", {}),
        content.get("depends", {}),
        content.get("source", ""),
        content.get("code", ""),
        content.get("at", ""),
        content.get("failure"),
    )


def _place(run: Run) -> str:
    return f"{run.settings.lake}/{FOLDER}/{run.contract.name}/{run.job}/{run.ds}.json"


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
