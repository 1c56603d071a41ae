"""Published features online: loaded after publishing, compared with what is offline, and one entity's vector at a time."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from common import training_store
from common.contract import Contract
from common.errors import ContractBroken, NothingThere
from common.fitting import Fitted
from common.online import Store, compare, open_store
from common.published import Features, Lake, moment
from common.run import Outcome, Run

# Who had no row for so many published days is no longer served: a load reads what it needs, not all history.
DAYS = 30


def view_name(table: Features) -> str:
    return f"{table.dataset}_v{table.number}"


def load(run: Run) -> dict[str, int]:
    """The latest published row of each entity, all at once; a version that is there already is left as it is."""
    table, store = _table(run), open_store(run.settings.online)
    newest = table.versions()[0]
    if _loaded(store, view_name(table)).get("version") == newest.version:
        return {"online": 0}
    view = table.at(version=newest.version)
    days = view.days()[-DAYS:]
    facts = {
        "version": newest.version,
        "published_at": moment(newest.at),
        "days": [str(days[0]), str(days[-1])],
        "feature_version": table.number,
        "definition": newest.books["definition"],
    }
    batches = view.batches(days=(days[0], days[-1]))
    return {"online": store.load(view_name(table), view.entity, batches, facts)}


def check(run: Run) -> Outcome:
    """Every online row against the offline one of the version that was loaded."""
    table, store = _table(run), open_store(run.settings.online)
    facts = store.facts(view_name(table))
    offline = table.at(version=facts["version"]).batches(days=tuple(facts["days"]))
    found = compare(store, view_name(table), offline)
    counts = {"entities": found.total, "agreeing": found.agreeing}
    if found.agreeing < found.total:
        sensitive = any(each.sensitive for each in run.contract.columns if each.name == run.contract.features.entity)
        examples = "" if sensitive else f", e.g. {', '.join(str(each.entity) for each in found.examples)}"
        raise ContractBroken(
            f"{found.share:.2%} of {found.total:,} entities agree between online {view_name(table)} and {table.path} version "
            f"{facts['version']}, expected 100%{examples}; load it again: jobs/publish.py --online",
            [{"what": each.what, "columns": list(each.columns)} for each in found.examples],
        )
    return Outcome("done", counts, facts={"share": found.share, "version": facts["version"]})


def vector(store: Store, table: Features, entity: str, fitted: Fitted | None = None) -> dict[str, Any]:
    """One entity's features as a model takes them."""
    view = table.at()
    key = pa.array([entity]).cast(view.stored.schema.field(view.entity).type)[0].as_py()
    row = store.get(view_name(table), key)
    if row is None:
        raise NothingThere(f"{view.entity} {entity} has no row in online {view_name(table)}")
    return row if fitted is None else fitted.apply_row({name: value for name, value in row.items() if name != "ds"})


def fitted_of(lake: str, name: str) -> Fitted:
    return training_store.fitted(training_store.manifest(lake, name))


def _table(run: Run) -> Features:
    contract: Contract = run.contract
    return Lake(run.settings.lake).features(f"{contract.name}@v{contract.features.version}")


def _loaded(store: Store, view: str) -> dict[str, Any]:
    try:
        return store.facts(view)
    except NothingThere:
        return {}
