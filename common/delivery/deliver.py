"""Deliver a published day to a target that conf declares: a warehouse, or a folder of files."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from common.delivery.folder import DayFolder
from common.errors import SourceMissingError, UsageError
from common.names import did_you_mean
from common.published.catalog import FeatureTable, Lake
from common.published.view import View
from common.runtime.run import Outcome, Run
from common.runtime.settings import Delivery
from common.runtime.submit_command import spark_submit
from common.sources.databases import dialects

if TYPE_CHECKING:
    from common.delivery.postgres import PostgresWarehouse


def deliver(run: Run) -> Outcome:
    """Make the target's slice equal to the published day; nothing if its ledger says that it is."""
    target = _target(run)
    table = Lake(run.settings.lake).features(f"{run.contract.name}@v{run.contract.features.version}")
    view = table.at()
    facts = publication_of(run, table, view)
    if target.kind == "postgresql":
        return _to_warehouse(run, target, table, view, facts)
    place = DayFolder(Path(target.path) / table.plain_name / f"ds={run.ds}", target.keep_formulas)
    told = {name: facts[name] for name in ("source", "ds", "table_id", "version", "hash")}
    if not run.full_refresh and place.holds(told):
        return Outcome("nothing", {"rows": facts["rows"]})
    return Outcome("done", place.replace(view, str(run.ds), f".{target.kind}", facts))


def _to_warehouse(run: Run, target: Delivery, table: FeatureTable, view: View, facts: dict[str, Any]) -> Outcome:
    with closing(open_warehouse(run.options["to"], target)) as warehouse:
        schema = view.stored.schema
        warehouse.check(table.plain_name, schema, view.entity)
        held = warehouse.delivered(facts["source"], run.ds)
        if not run.full_refresh and held == (facts["table_id"], facts["version"], facts["hash"]):
            return Outcome("nothing", {"rows": facts["rows"]})
        batches = view.stored.batches(str(run.ds))
        return Outcome("done", warehouse.replace(table.plain_name, schema, view.entity, batches, tuple(facts.values())))


def open_warehouse(name: str, target: Delivery) -> PostgresWarehouse:
    from common.delivery.postgres import PostgresWarehouse

    address = dialects.address(name)
    if address.engine.driver != "org.postgresql.Driver":
        raise UsageError(
            f"{address.variable} is no postgresql:// address, and only PostgreSQL is delivered to; correct it"
        )
    return PostgresWarehouse(address, target.schema_name, target.seconds)


def publication_of(run: Run, table: FeatureTable, view: View) -> dict[str, Any]:
    """A row of the ledger: which publication of the day this is, by version and by hash."""
    ds = str(run.ds)
    for publication in view.publications:
        if ds in publication.days:
            day = publication.days[ds]
            return {
                "source": table.name,
                "ds": ds,
                "table_id": view.stored.table_id,
                "version": publication.version,
                "hash": day["hash"],
                "rows": day["rows"],
                "run_id": run.run_id,
            }
    raise SourceMissingError(
        f"{table.path} has no publication of {ds}; run: {spark_submit('publish', run.contract.name, ds)}"
    )


def _target(run: Run) -> Delivery:
    name, known = run.options["to"], run.settings.deliveries
    if name not in known:
        listed = ", ".join(known) or "none yet"
        raise UsageError(
            f"--to {name} is not declared; declared under deliveries in conf/{run.settings.env}.yml: {listed}"
            f"{did_you_mean(name, known)}"
        )
    return known[name]
