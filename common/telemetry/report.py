"""Reports what a run did: metrics for Prometheus, lineage for OpenLineage. The one module that jobs call.

Files are always written, receivers get copies where settings name them. Nothing here raises, and nothing waits longer than
receivers.FLUSH_SECONDS, once in a process.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Self

from common.contracts.changes import periods_reached
from common.days import day_range, from_text
from common.lake.storage.files import is_local, local_path, read_json, read_text, write_text
from common.runtime.log_lines import append_line
from common.runtime.run import Run
from common.telemetry import lineage_events, metric_files, metrics, otlp, receivers
from common.telemetry.metrics import MetricSample
from common.telemetry.observation import Line, Observation, observe, unfinished
from common.telemetry.receivers import Message

FOLDER = "lineage"
TEXT = "text/plain; version=0.0.4; charset=utf-8"
JSON = "application/json"


class Report:
    """Of a job that works on a day, or on a range as one step. Without `start`, the start is reported with the end."""

    def __init__(self, *runs: Run) -> None:
        self._seen, self._started = observe(*runs), False

    def start(self) -> Self:
        self._started = True
        with _harmless(self._seen):
            _tell(self._seen, lineage_events.started(self._seen))
        return self

    def finished(self, line: Line, checks: str = "", names_stale: bool = False) -> None:
        """`checks` is the file of the gate's results; `names_stale` says that the line names the stale days."""
        self._end(line, None, checks)
        if names_stale or line["job"] == "publish":
            with _harmless(self._seen):
                _update_stale(self._seen, line)

    def failed(self, failure: Line, checks: str = "") -> None:
        self._end({}, failure, checks)

    def _end(self, line: Line, failure: Line | None, checks: str) -> None:
        if not self._started:
            self.start()
        seen = self._seen
        with _harmless(seen):
            seen.close(line, failure)
            _update_step(seen)
        with _harmless(seen):
            _tell(seen, lineage_events.ended(seen, _checks(seen.run, checks)))


def unchanged(run: Run, line: Line, names_stale: bool = False) -> None:
    """For a day that is up to date or closed: only metrics, because nothing was read or written."""
    seen = observe(run)
    with _harmless(seen):
        seen.close({**line, "written": {}})
        _update_step(seen)
        if names_stale:
            _update_stale(seen, line)


def aborted() -> None:
    """For every run that Ctrl-C or SIGTERM interrupts."""
    for seen in unfinished():
        with _harmless(seen):
            _tell(seen, lineage_events.aborted(seen))


@contextmanager
def _harmless(seen: Observation) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        seen.run.log.warning("the run's metrics or lineage could not be kept: %s: %s", type(error).__name__, error)


def _update_step(seen: Observation) -> None:
    _update(seen, f"{seen.dataset}.{seen.step}", lambda before: metrics.of_step(seen, before), f"/step/{seen.step}")


def _update_stale(seen: Observation, line: Line) -> None:
    """A run looks at the days that it can reach; a published day is up to date."""
    contract = seen.run.contract
    reach = periods_reached(contract, seen.run.ds)
    looked_at = {*seen.days} if line["job"] == "publish" else {*day_range(seen.run.ds, 0, reach)}
    stale = {from_text(day) for day in line["stale"]}
    _update(seen, f"{seen.dataset}.stale", lambda before: metrics.of_stale_days(seen, before, looked_at, stale), "")


def _update(
    seen: Observation, name: str, change: Callable[[list[MetricSample]], list[MetricSample]], group: str
) -> None:
    settings = seen.run.settings
    samples = metric_files.update(settings, name, change)
    if settings.telemetry.pushgateway:
        url = f"{settings.telemetry.pushgateway}/metrics/job/feature_pipeline/dataset/{seen.dataset}{group}"
        receivers.send("pushgateway", Message(url, metric_files.text(samples).encode(), TEXT, "PUT", replaces=name))
    if settings.telemetry.otlp:
        url = f"{settings.telemetry.otlp}/v1/metrics"
        receivers.send("otlp", Message(url, otlp.request(samples), JSON, replaces=name))


def _checks(run: Run, place: str) -> list[dict[str, Any]]:
    """The gate's results, if this run wrote them."""
    kept = read_json(place) if place else None
    return list(kept["results"]) if kept and kept.get("run_id") == run.run_id else []


def _tell(seen: Observation, event: lineage_events.Event) -> None:
    settings = seen.run.settings
    content = json.dumps(event, default=str)
    _append(f"{settings.lake}/{FOLDER}/{seen.dataset}/{seen.step}/{seen.days[-1]}.jsonl", content)
    if settings.telemetry.openlineage:
        key = os.environ.get("OPENLINEAGE_API_KEY", "")
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        url = f"{settings.telemetry.openlineage}/api/v1/lineage"
        receivers.send("openlineage", Message(url, content.encode(), JSON, headers=headers))


def _append(uri: str, line: str) -> None:
    """An object store cannot append, so the small file is written again there."""
    if not is_local(uri):
        write_text(uri, f"{read_text(uri)}{line}\n")
        return
    path = local_path(uri)
    path.parent.mkdir(parents=True, exist_ok=True)
    append_line(path, line)
