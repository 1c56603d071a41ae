"""What a plan says of a small shop's days, and what a backfill really runs."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from common.errors import ContractViolationError
from common.orchestration import cli, run_log
from common.orchestration.chain import check_declarations, run_chain
from common.orchestration.run_log import RunRecord
from common.orchestration.stages import STEPS
from common.planning.foresight import Foresight, When
from common.runtime.run import Run
from jobs.backfill import CHAIN
from tests.model.world import day_of
from tests.support.datasets import datasets_in
from tests.support.play_lake import PlayLake

FIRST, SECOND, THIRD = DAYS = tuple(day_of(number) for number in range(3))
ALL = f"{FIRST}..{THIRD}"
# What a changed contract or engine runs again in any case, and what follows a changed day.
BY_CODE = tuple(STEPS)[:-1]
AFTER_CLEAN = ("features", "validate-features", "publish")
RULE = 'type="long", minimum=0, maximum=9999'
HELPER = "\n\ndef helper(rows):\n    return rows\n"
Steps = set[tuple[str, str]]


def land(lake: PlayLake, ds: str, *rows: str) -> None:
    lake.land_bytes(ds, "\n".join(["key,user,amount,time", *rows, ""]).encode())


def sale(key: str, ds: str, amount: int = 5) -> str:
    return f"{key},1,{amount},{ds}T10:00:00Z"


def asked(lake: PlayLake, ds: str) -> list[Run]:
    arguments = {"dataset": "sales", "ds": ds, "lake": str(lake.lake_folder), "landing": str(lake.landing)}
    return cli.plan("backfill", {**arguments, "env": "local", "full_refresh": False, "long_range": False})


def planned(lake: PlayLake, ds: str = ALL) -> dict[When, Steps]:
    steps: dict[When, Steps] = {when: set() for when in When}
    with datasets_in(lake.root / "datasets"):
        runs = asked(lake, ds)
        for day in Foresight(runs[0]).days([run.ds for run in runs], alone=False):
            for step in day.steps:
                steps[step.when].add((str(day.ds), step.name))
    return steps


def backfilled(lake: PlayLake, ds: str = ALL) -> Steps:
    """The steps that a backfill really ran, by the lines of its jobs; the last one may have failed."""
    before = run_log.records_of(str(lake.lake_folder), "sales")
    with datasets_in(lake.root / "datasets"):
        runs = asked(lake, ds)
        check_declarations(CHAIN, runs)
        with suppress(ContractViolationError):
            run_chain(CHAIN, runs)

    def ran(key: tuple[str, str], record: RunRecord) -> bool:
        failed_now = record.failure is not None and record.failure != before.get(key, RunRecord()).failure
        return failed_now or (record.run_id == runs[0].run_id and record.line["outcome"] != "nothing")

    found = {key for key, record in run_log.records_of(str(lake.lake_folder), "sales").items() if ran(key, record)}
    return {(day, job) for day, job in found if job in STEPS}


def steps(names: tuple[str, ...], *days: str) -> Steps:
    return {(day, name) for day in days for name in names}


def contract_of(lake: PlayLake) -> Path:
    return lake.root / "datasets/sales/contract.py"
