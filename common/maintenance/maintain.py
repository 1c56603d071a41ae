"""Daily maintenance: verify every pin, then remove files and results past their retention. No Spark."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from common.contracts import datasets
from common.days import day_of
from common.errors import ContractViolationError, PipelineError
from common.lake import pins
from common.lake.log import delta_log
from common.lake.pins import Pin
from common.lake.storage.files import is_local, list_files, local_path, locate, read_json
from common.lake.storage.locks import at_work
from common.maintenance import vacuum
from common.orchestration import run_log
from common.quality import gx
from common.runtime.run import Outcome, Run
from common.telemetry import report

# What a day counted, which `make status` shows of every day. The records of the other jobs are only messages.
LASTING = ("ingest", "clean", "features", "publish")
# Great Expectations' results, and the pages rendered from them.
STORES = (Path("gx/uncommitted/validations"), gx.PAGE.parent / "validations")
DAY = re.compile(r"(\d{4}-\d{2}-\d{2}(?:T\d{2})?)\.json")
MOMENT = re.compile(r"(\d{8})T\d{6}\.\d+Z")


def maintain(run: Run) -> Outcome:
    lake = run.settings.lake
    with at_work(lake, run.contract.name, "maintain", run.settings.lock_wait_seconds):
        # Verify first: the remaining files may be needed to repair a damaged pin.
        verified = verify_pins(lake, run.contract.name)
        files = vacuum.vacuum(run)
        results = prune(run)
    counts = {"files_removed": sum(files.values()), "results_removed": results, "pins_verified": verified}
    written = {path: delta_log.version(f"{lake}/{path}") for path, removed in files.items() if removed}
    return Outcome("done" if written or results else "nothing", counts, written)


def verify_pins(lake: str, dataset: str) -> int:
    """Count the pins of the dataset's tables; raise if any is damaged, naming each."""
    try:
        all_pins = pins.pins(lake)
    except PipelineError as error:
        raise ContractViolationError(f"{error}; nothing was removed") from error
    own_pins = [pin for pin in all_pins if _is_of(pin, dataset)]
    damaged = [damage for pin in own_pins if (damage := _damage(lake, pin))]
    if damaged:
        names = "; ".join(f"{damage['pin']} ({damage['table']} version {damage['version']})" for damage in damaged)
        raise ContractViolationError(
            f"{len(damaged)} of {len(own_pins)} pins are damaged: {names}. Nothing was removed. First: {damaged[0]['problem']}",
            damaged,
        )
    return len(own_pins)


def _is_of(pin: Pin, dataset: str) -> bool:
    """Whether to verify the pin with this dataset: pins of no dataset (such as training sets) are verified with all."""
    return not {*datasets.names()} - {dataset} & {pin.table.split("/")[1]}


def _damage(lake: str, pin: Pin) -> dict[str, Any] | None:
    try:
        pins.verify(lake, pin.name)
    except PipelineError as error:
        if pin.name not in {current.name for current in pins.pins(lake)}:
            return None  # released in the meantime
        return {"pin": pin.name, "table": pin.table, "version": pin.version, "problem": str(error)}
    return None


def prune(run: Run) -> int:
    """Remove run records, lineage events, gate verdicts and Great Expectations results older than the declared retention."""
    lake, name = run.settings.lake, run.contract.name
    newest = max(run_log.days_run(lake, name, "ingest"), default=run.ds)
    # Count from run.ds at most, so that a day far ahead by mistake expires nothing; windows read their partials daily.
    kept = max(run.settings.keep_results_days, run.contract.features.window_days)
    before = day_of(min(run.ds, newest)) - timedelta(days=kept)
    records = [path for path in _old(f"{lake}/{run_log.FOLDER}/{name}", before) if path.split("/")[-2] not in LASTING]
    verdicts = [*_old(f"{lake}/{run_log.RESULTS}/{name}", before)]
    events = [*_old_events(f"{lake}/{report.FOLDER}/{name}", before)]
    system, _ = locate(lake)
    for path in (*records, *verdicts, *events):
        system.delete_file(path)
    return len(records) + len(verdicts) + len(events) + _prune_expectations(lake, name, before)


def _old(base: str, before: date) -> Iterator[str]:
    """Yield the files of days before the limit, except recently written ones and open failures."""
    for file in list_files(base, recursive=True):
        day = DAY.fullmatch(file.base_name)
        if not day or day[1] >= str(before):
            continue
        table_or_job = file.path.split("/")[-2]
        content = read_json(f"{base}/{table_or_job}/{file.base_name}") or {}
        if not content.get("failure") and str(content.get("at", "")) < str(before):
            yield file.path


def _old_events(base: str, before: date) -> Iterator[str]:
    """Yield the lineage events of days before the limit, unless the day has run since."""
    for file in list_files(base, recursive=True):
        day = DAY.fullmatch(file.base_name.removesuffix("l"))
        if day and day[1] < str(before) and file.mtime and file.mtime.date() < before:
            yield file.path


def _prune_expectations(lake: str, dataset: str, before: date) -> int:
    """Remove old Great Expectations results; their folders carry the time of writing, not ds."""
    if not is_local(lake):
        return 0
    removed = 0
    for store in STORES:
        for folder in (local_path(lake) / store / dataset).glob("*/*/*"):
            written_at = MOMENT.fullmatch(folder.name)
            if written_at and written_at[1] < f"{before:%Y%m%d}":
                removed += sum(file.is_file() for file in folder.rglob("*"))
                shutil.rmtree(folder)
    return removed
