"""Deliver a slice to a target that conf declares: a warehouse, or a folder of files."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from common.delivery.folder import SliceFolder
from common.delivery.predictions import predictions
from common.delivery.slices import DeliveredSlice, feature_day
from common.errors import UsageError
from common.names import did_you_mean
from common.published.catalog import Lake
from common.runtime.run import Outcome, Run
from common.runtime.settings import Delivery
from common.sources.databases import dialects

if TYPE_CHECKING:
    from common.delivery.postgres import PostgresWarehouse


def deliver(run: Run) -> Outcome:
    """Make the target's slice equal to ours; nothing if its ledger or manifest says that it is."""
    target = _target(run)
    chosen = predictions(run) if run.options.get("predictions") else _day(run)
    if target.kind == "postgresql":
        return _to_warehouse(run, target, chosen)
    place = SliceFolder(Path(target.path) / chosen.folder, target.keep_formulas)
    if not run.full_refresh and place.holds(chosen.told):
        return Outcome("nothing", {"rows": chosen.facts["rows"]})
    return Outcome("done", place.replace(chosen, f".{target.kind}"))


def _day(run: Run) -> DeliveredSlice:
    table = Lake(run.settings.lake).features(f"{run.contract.name}@v{run.contract.features.version}")
    return feature_day(run, table, table.at())


def _to_warehouse(run: Run, target: Delivery, chosen: DeliveredSlice) -> Outcome:
    facts = chosen.facts
    with closing(open_warehouse(run.options["to"], target)) as warehouse:
        warehouse.check(chosen)
        held = warehouse.delivered(chosen)
        if not run.full_refresh and held == (facts["table_id"], facts["version"], facts["hash"]):
            return Outcome("nothing", {"rows": facts["rows"]})
        return Outcome("done", warehouse.replace(chosen))


def open_warehouse(name: str, target: Delivery) -> PostgresWarehouse:
    from common.delivery.postgres import PostgresWarehouse

    address = dialects.address(name)
    if address.engine.driver != "org.postgresql.Driver":
        raise UsageError(
            f"{address.variable} is no postgresql:// address, and only PostgreSQL is delivered to; correct it"
        )
    return PostgresWarehouse(address, target.schema_name, target.seconds)


def _target(run: Run) -> Delivery:
    name, known = run.options["to"], run.settings.deliveries
    if name not in known:
        listed = ", ".join(known) or "none yet"
        raise UsageError(
            f"--to {name} is not declared; declared under deliveries in conf/{run.settings.env}.yml: {listed}"
            f"{did_you_mean(name, known)}"
        )
    return known[name]
