"""What `--json` prints, as types: of each command its own, and of every one what it prints when it fails."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

from pydantic import ConfigDict, TypeAdapter, with_config
from typing_extensions import TypedDict

from common.errors import UsageError
from common.names import did_you_mean
from common.orchestration.line_shape import JobLine, exact

DIALECT = "https://json-schema.org/draft/2020-12/schema"
# What a run wrote about itself, of which a later version may write more.
told = with_config(ConfigDict(extra="allow"))


@exact
class Failure(TypedDict):
    error: str
    exit_code: int
    failures: list[dict[str, Any]]


@exact
class TableSummary(TypedDict):
    table: str
    version: int | None
    first_day: str | None
    last_day: str | None
    rows: int | None
    published_at: str | None


@exact
class ListedTables(TypedDict):
    tables: list[TableSummary]


@told
class LoggedVersion(TypedDict):
    version: int
    at: str
    run_id: str
    days: dict[str, dict[str, Any]]


@exact
class TableHistory(TypedDict):
    table: str
    versions: list[LoggedVersion]


@exact
class ViewIdentity(TypedDict):
    table: str
    version: int
    publication: int
    published_at: str


@exact
class ShownRows(ViewIdentity):
    rows: list[dict[str, Any]]
    of: int


@exact
class WrittenFile(ViewIdentity):
    out: str
    rows: int
    hash: str
    days: dict[str, str]
    changed: list[str]


@exact
class LargestChange(TypedDict):
    ds: str
    entity: Any
    column: str
    before: Any
    after: Any
    size: float | str


@exact
class Differences(TypedDict):
    table: str
    before: int
    after: int
    days: list[str]
    added: int
    removed: int
    changed: int
    columns: dict[str, int]
    largest: list[LargestChange]
    new_columns: list[str]
    gone_columns: list[str]
    retyped: list[str]


@exact
class RowOrigin(ViewIdentity):
    row: dict[str, Any]
    made: dict[str, Any]
    events: list[dict[str, Any]]


@exact
class ReproducedRun(TypedDict):
    run: str
    same: list[tuple[str, str, int]]


@exact
class PinnedVersion(TypedDict):
    name: str
    table: str
    version: int
    rows: int
    hash: str
    days: dict[str, str]
    pinned_at: str
    note: str
    rehashed_at: str


@exact
class ListedPins(TypedDict):
    pins: list[PinnedVersion]


SHAPES: dict[str, Any] = {
    "list": ListedTables,
    "log": TableHistory,
    "show": ShownRows,
    "get": WrittenFile,
    "diff": Differences,
    "why": RowOrigin,
    "reproduce": ReproducedRun,
    "vector": dict[str, Any],  # the features of a table, or of a training set, by name
    "pin": PinnedVersion,
    "pins": ListedPins,
    "release": PinnedVersion,
    "verify": PinnedVersion,
}


# Those of `plan` say in words what each field means.
WRITTEN = {"plan": ("common.planning", ("plan.schema.json", "since_revision.schema.json", "trial.schema.json"))}


# The word for the line that each job prints.
JOB = "job"


def schema_of(command: str) -> dict[str, Any]:
    """The JSON Schema of what the command prints, done or failed."""
    if command == JOB:
        return {"$schema": DIALECT, **TypeAdapter(JobLine).json_schema(), "title": "the line of a job"}
    known = [*SHAPES, *WRITTEN, JOB]
    if command not in known:
        raise UsageError(
            f"{command!r} prints nothing of a shape of its own; expected one of: {', '.join(sorted(known))}"
            f"{did_you_mean(command, known)}"
        )
    about = {"$schema": DIALECT, "title": f"features {command} --json"}
    if command not in WRITTEN:
        return {**about, **TypeAdapter(SHAPES[command] | Failure).json_schema()}
    package, names = WRITTEN[command]
    # With a name of its own, the references within it stay within it.
    written = [{**json.loads((files(package) / name).read_text(encoding="utf-8")), "$id": name} for name in names]
    return {**about, "anyOf": [*written, TypeAdapter(Failure).json_schema()]}
