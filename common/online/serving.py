"""Published features online: loaded after publishing, compared with what is offline, and one entity's vector at a time."""

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

# Who had no row for so many published days is no longer served: a load reads what it needs, not all history.
DAYS = 30


def view_name(table: FeatureTable) -> str:
    return f"{table.dataset}_v{table.number}"


def load_online(run: Run) -> dict[str, int]:
    """The latest published row of each entity, all at once; a publication that is there already is left as it is."""
    table, store = _table(run), open_store(run.settings.online)
    newest = _newest(table)
    view = table.at(version=newest.version)
    days = view.days()[-DAYS:]
    facts = {
        **_publication(newest),
        "days": [str(days[0]), str(days[-1])],
        "feature_version": table.number,
        "definition": newest.books["definition"],
        "entity_type": layout.type_of(run.contract, run.contract.features.entity),
    }
    if facts.items() <= _loaded(store, view_name(table)).items():
        return {"online": 0}
    batches = view.batches(days=(days[0], days[-1]))
    return {"online": store.load(view_name(table), view.entity, batches, facts)}


def check_agreement(run: Run) -> Outcome:
    """Every online row against the offline one of the newest publication, which has to be the one that was loaded."""
    table, store = _table(run), open_store(run.settings.online)
    facts, newest = store.facts(view_name(table)), _newest(table)
    again = spark_submit("publish", run.contract.name, max(newest.days), online=True)
    if not _publication(newest).items() <= facts.items():
        raise ContractViolationError(
            f"online {view_name(table)} is version {facts['version']} of {facts['published_at']}, but {table.path} was "
            f"published as version {newest.version} of {moment(newest.at)}; load it: {again}"
        )
    found = compare_with_offline(
        store, view_name(table), table.at(version=newest.version).batches(days=tuple(facts["days"]))
    )
    counts = {"entities": found.total, "agreeing": found.agreeing}
    if found.agreeing < found.total:
        sensitive = any(each.sensitive for each in run.contract.columns if each.name == run.contract.features.entity)
        examples = "" if sensitive else f", e.g. {', '.join(str(each.entity) for each in found.examples)}"
        raise ContractViolationError(
            f"{found.share:.2%} of {found.total:,} entities agree between online {view_name(table)} and {table.path} version "
            f"{newest.version}, expected 100%{examples}; load it again: {again}",
            [{"what": each.what, "columns": list(each.columns)} for each in found.examples],
        )
    return Outcome("done", counts, facts={"share": found.share, "version": newest.version})


class Server:
    """Gives the vectors of one view. Made once, it asks nothing but the store: no table, no log."""

    def __init__(self, store: Store, view: str, fitted: Fitted | None = None) -> None:
        facts = store.facts(view)
        if "entity_type" not in facts:
            raise SourceMissingError(f"online {view} does not say of what type its {facts['entity']} is; load it again")
        self._store, self._view, self._fitted = store, view, fitted
        self._entity: str = facts["entity"]
        self._type: pa.DataType = snapshot.arrow_type(facts["entity_type"])

    def vector(self, entity: object) -> Row:
        """One entity's features as a model takes them."""
        try:
            key = pa.array([str(entity)], pa.string()).cast(self._type)[0].as_py()
        except pa.ArrowInvalid:
            raise UsageError(f"{self._entity} {entity!r} can't be read as {self._type}, which that column is") from None
        row = self._store.get(self._view, key)
        if row is None:
            raise SourceMissingError(f"{self._entity} {entity} has no row in online {self._view}")
        if self._fitted is None:
            return row
        return self._fitted.apply_row({name: value for name, value in row.items() if name != "ds"})


def fitted_of(lake: str, name: str) -> Fitted:
    return fitted(manifest(lake, name))


def _table(run: Run) -> FeatureTable:
    contract: Contract = run.contract
    return Lake(run.settings.lake).features(f"{contract.name}@v{contract.features.version}")


def _newest(table: FeatureTable) -> Version:
    for newest in table.versions():
        return newest
    raise SourceMissingError(f"{table.path} has no publication; run: {spark_submit('publish', table.dataset, '…')}")


def _publication(made: Version) -> dict[str, Any]:
    """What tells a publication from any other; its number alone does not, where a lake was built anew."""
    return {"version": made.version, "published_at": moment(made.at)}


def _loaded(store: Store, view: str) -> dict[str, Any]:
    try:
        return store.facts(view)
    except SourceMissingError:
        return {}
