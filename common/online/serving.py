"""Load published features into the online store, compare them with the offline ones, and serve one vector at a time."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from common.contracts import layout
from common.contracts.contract import Contract
from common.errors import ContractViolationError, SourceMissingError, UsageError
from common.lake import snapshot
from common.lake.training_manifests import manifest
from common.online.agreement import compare_with_offline
from common.online.connect import open_store
from common.online.row_codec import Row
from common.online.store import Store
from common.published.catalog import FeatureTable, Lake, moment
from common.published.view import Version
from common.runtime.run import Outcome, Run
from common.runtime.submit_command import spark_submit
from common.training.fitting import Fitted
from common.training.store import fitted

# A load reads only this many published days; an entity without a row in them is no longer served.
DAYS = 30


def load_online(run: Run) -> dict[str, int]:
    """Replace the view with the latest published row of each entity, unless this publication is loaded already."""
    table, store = _table(run), open_store(run.settings.online)
    newest = _newest(table)
    view = table.at(version=newest.version)
    days = view.days()[-DAYS:]
    facts = {
        **_publication(newest),
        "table_id": view.stored.table_id,
        "days": [str(days[0]), str(days[-1])],
        "feature_version": table.number,
        "definition": newest.books["definition"],
        "entity_type": layout.type_of(run.contract, run.contract.features.entity),
    }
    if facts.items() <= _loaded(store, table.plain_name).items():
        return {"online": 0}
    batches = view.batches(days=(days[0], days[-1]))
    return {"online": store.load(table.plain_name, view.entity, batches, facts)}


def check_agreement(run: Run) -> Outcome:
    """Compare every online row with the newest publication, which must be the one that was loaded."""
    table, store = _table(run), open_store(run.settings.online)
    facts, newest = store.facts(table.plain_name), _newest(table)
    again = spark_submit("publish", run.contract.name, max(newest.days), online=True)
    if not _publication(newest).items() <= facts.items():
        raise ContractViolationError(
            f"online {table.plain_name} is version {facts['version']} of {facts['published_at']}, but {table.path} was "
            f"published as version {newest.version} of {moment(newest.at)}; load it: {again}"
        )
    agreement = compare_with_offline(
        store, table.plain_name, table.at(version=newest.version).batches(days=tuple(facts["days"]))
    )
    counts = {"entities": agreement.total, "agreeing": agreement.agreeing}
    if agreement.agreeing < agreement.total:
        sensitive = run.contract.column(run.contract.features.entity).sensitive
        examples = "" if sensitive else f", e.g. {', '.join(str(example.entity) for example in agreement.examples)}"
        raise ContractViolationError(
            f"{agreement.share:.2%} of {agreement.total:,} entities agree between online {table.plain_name} and "
            f"{table.path} version {newest.version}, expected 100%{examples}; load it again: {again}",
            [{"what": example.what, "columns": list(example.columns)} for example in agreement.examples],
        )
    return Outcome("done", counts, facts={"share": agreement.share, "version": newest.version})


class Server:
    """Serves the vectors of one view. After construction it reads only the online store, no table and no log."""

    def __init__(self, store: Store, view: str, fitted: Fitted | None = None) -> None:
        facts = store.facts(view)
        if "entity_type" not in facts:
            raise SourceMissingError(f"online {view} does not record the type of its {facts['entity']}; load it again")
        self._store, self._view, self._fitted = store, view, fitted
        self._entity: str = facts["entity"]
        self._type: pa.DataType = snapshot.arrow_type(facts["entity_type"])

    def vector(self, entity: object) -> Row:
        """Return one entity's features as a model takes them."""
        try:
            key = pa.array([str(entity)], pa.string()).cast(self._type)[0].as_py()
        except pa.ArrowInvalid:
            raise UsageError(
                f"{self._entity} {entity!r} can't be read as {self._type}, the type of that column"
            ) from None
        row = self._store.get(self._view, key)
        if row is None:
            raise SourceMissingError(
                f"{self._entity} {entity} has no row in online {self._view}; check the id, or load the view again"
            )
        if self._fitted is None:
            return row
        return self._fitted.apply_row({name: value for name, value in row.items() if name != "ds"})


def fitted_of(lake: str, name: str) -> Fitted:
    return fitted(manifest(lake, name))


def _table(run: Run) -> FeatureTable:
    contract: Contract = run.contract
    return Lake(run.settings.lake).features(f"{contract.name}@v{contract.features.version}")


def _newest(table: FeatureTable) -> Version:
    for version in table.versions():
        return version
    raise SourceMissingError(f"{table.path} has no publication; run: {spark_submit('publish', table.dataset, '…')}")


def _publication(version: Version) -> dict[str, Any]:
    """Identify a publication. Its number alone is not enough: a rebuilt lake counts from 0 again."""
    return {"version": version.version, "published_at": moment(version.at)}


def _loaded(store: Store, view: str) -> dict[str, Any]:
    try:
        return store.facts(view)
    except SourceMissingError:
        return {}
