"""The JSON line that every job prints at its end, as a type: an interface for programs."""

from __future__ import annotations

from typing import Any, Literal, NotRequired

from pydantic import ConfigDict, with_config
from typing_extensions import TypedDict

exact = with_config(ConfigDict(extra="forbid"))


@exact
class JobLine(TypedDict):
    """Of a day; of a range, of several datasets, or of a failure the parts that it has."""

    job: str
    outcome: Literal[
        "done", "nothing", "empty", "closed", "planned", "missing", "incomplete", "interrupted", "failed"
    ]  # fmt: skip
    seconds: float
    dataset: NotRequired[str | list[str] | None]
    ds: NotRequired[str]
    counts: NotRequired[dict[str, int]]
    read: NotRequired[dict[str, int]]
    written: NotRequired[dict[str, int]]
    stale: NotRequired[list[str]]
    run_id: NotRequired[str]
    # Of a range, or of several datasets.
    days: NotRequired[dict[str, str]]
    datasets: NotRequired[dict[str, dict[str, Any]]]
    missing: NotRequired[list[str]]
    # What a person should know.
    message: NotRequired[str]
    warnings: NotRequired[list[dict[str, Any]]]
    undelivered: NotRequired[dict[str, int]]
    left_out: NotRequired[list[str]]
    error: NotRequired[str]
    failures: NotRequired[list[dict[str, Any]]]
    # Of ingest.
    drift: NotRequired[dict[str, list[str]]]
    refused_files: NotRequired[dict[str, str]]
    # Of compact.
    packed: NotRequired[list[dict[str, Any]]]
    # Of publish --online, and of reproduce.
    share: NotRequired[float]
    version: NotRequired[int]
    hash: NotRequired[str]
    sources: NotRequired[dict[str, int]]
    publication: NotRequired[int]
    made_by: NotRequired[str]
    # Of training_set.
    training_set: NotRequired[str]
    mlflow_run: NotRequired[str]
    # Of erase.
    tables: NotRequired[dict[str, dict[str, int]]]
    pins: NotRequired[list[str]]
    training_sets: NotRequired[list[str]]
    searched: NotRequired[dict[str, Any]]
    out_of_reach: NotRequired[list[str]]
    report: NotRequired[str]
