"""What runs beside the days: every pin is verified, and what no promise needs any more is removed. No Spark."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from common.contracts import datasets
from common.errors import ContractViolationError, PipelineError
from common.lake import delta_log, pins
from common.lake.files import is_local, list_files, local_path, locate, read_json
from common.lake.locks import hold
from common.lake.pins import Pin
from common.maintenance import vacuum
from common.orchestration import run_log
from common.quality import gx
from common.runtime.run import Outcome, Run

# Which days these have run for is asked for good: what a change makes stale, whose partials a window needs, where a
# reference begins, what is published. The others' records are history, and make a day that runs again quicker.
LASTING = ("ingest", "clean", "features", "publish")
# Of Great Expectations: its results, and the pages that were made of them.
STORES = (Path("gx/uncommitted/validations"), gx.PAGE.parent / "validations")
DAY = re.compile(r"(\d{4}-\d{2}-\d{2})\.json")
MOMENT = re.compile(r"(\d{8})T\d{6}\.\d+Z")


def maintain(run: Run) -> Outcome:
    lake = run.settings.lake
    with hold(lake, f"{run.contract.name}/maintain", run.settings.lock_wait_seconds):
        # First: nothing is removed while a pin is damaged, for what is left may be what mends it.
        verified = verify_pins(lake, run.contract.name)
        files = vacuum.vacuum(run)
        results = prune(run)
    counts = {"files_removed": sum(files.values()), "results_removed": results, "pins_verified": verified}
    written = {path: delta_log.version(f"{lake}/{path}") for path, removed in files.items() if removed}
    return Outcome("done" if written or results else "nothing", counts, written)


def verify_pins(lake: str, dataset: str) -> int:
    """How many there are of the dataset's tables; raises if one is not what it was, naming each."""
    try:
        found = pins.pins(lake)
    except PipelineError as error:
        raise ContractViolationError(f"{error}; nothing was removed") from error
    mine = [each for each in found if _is_of(each, dataset)]
    damaged = [problem for each in mine if (problem := _damage(lake, each))]
    if damaged:
        said = "; ".join(f"{each['pin']} ({each['table']} version {each['version']})" for each in damaged)
        raise ContractViolationError(
            f"{len(damaged)} of {len(mine)} pins are damaged: {said}. Nothing was removed. First: {damaged[0]['problem']}",
            damaged,
        )
    return len(mine)


def _is_of(pin: Pin, dataset: str) -> bool:
    """A table that no dataset's name stands in, as that of a training set, is everybody's: none goes unlooked at."""
    return not {*datasets.names()} - {dataset} & {pin.table.split("/")[1]}


def _damage(lake: str, pin: Pin) -> dict[str, Any] | None:
    try:
        pins.verify(lake, pin.name)
    except PipelineError as error:
        if pin.name not in {each.name for each in pins.pins(lake)}:
            return None  # it was released meanwhile
        return {"pin": pin.name, "table": pin.table, "version": pin.version, "problem": str(error)}
    return None


def prune(run: Run) -> int:
    """Removes records of runs, verdicts of the gate and Great Expectations' results that are older than is declared."""
    lake, name = run.settings.lake, run.contract.name
    newest = max(run_log.days_run(lake, name, "ingest"), default=run.ds)
    # A day by mistake far ahead does not make the last results old ones. Partials of a window are asked for daily.
    kept = max(run.settings.keep_results_days, run.contract.features.window_days)
    before = min(run.ds, newest) - timedelta(days=kept)
    records = [each for each in _old(f"{lake}/{run_log.FOLDER}/{name}", before) if each.split("/")[-2] not in LASTING]
    verdicts = [*_old(f"{lake}/{run_log.RESULTS}/{name}", before)]
    system, _ = locate(lake)
    for path in (*records, *verdicts):
        system.delete_file(path)
    return len(records) + len(verdicts) + _prune_expectations(lake, name, before)


def _old(base: str, before: date) -> Iterator[str]:
    """The files about a day before that one, unless they were written since, or say of a failure that still stands."""
    for each in list_files(base, recursive=True):
        day = DAY.fullmatch(each.base_name)
        if not day or day[1] >= str(before):
            continue
        table_or_job = each.path.split("/")[-2]
        content = read_json(f"{base}/{table_or_job}/{each.base_name}") or {}
        if not content.get("failure") and str(content.get("at", "")) < str(before):
            yield each.path


def _prune_expectations(lake: str, dataset: str, before: date) -> int:
    """Its results name the moment at which they were made, and no day."""
    if not is_local(lake):
        return 0
    removed = 0
    for store in STORES:
        for folder in (local_path(lake) / store / dataset).glob("*/*/*"):
            made = MOMENT.fullmatch(folder.name)
            if made and made[1] < f"{before:%Y%m%d}":
                removed += sum(each.is_file() for each in folder.rglob("*"))
                shutil.rmtree(folder)
    return removed
