"""What is delivered as one: a published day, or a model's predictions for one version of a training set."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from common.days import HOUR
from common.errors import SourceMissingError
from common.published.catalog import FeatureTable
from common.published.view import View
from common.runtime.run import Run
from common.runtime.submit_command import spark_submit


@dataclass(frozen=True)
class DeliveredSlice:
    table: str  # its name at the target
    column: str  # whose one value all its rows share
    key: tuple[str, ...]  # tells these rows apart
    ledger: str  # the warehouse's table that says what was delivered
    schema: pa.Schema
    facts: dict[str, Any]  # a row of the ledger: source, the column, table_id, version, hash, rows, run_id
    batches: Callable[[], Iterable[pa.RecordBatch]]
    in_order: Callable[[], Iterable[pa.Table]]

    @property
    def value(self) -> Any:
        return self.facts[self.column]

    @property
    def folder(self) -> str:
        return f"{self.table}/{self.column}={self.value}"

    @property
    def told(self) -> dict[str, Any]:
        """The facts that differ between two contents of the slice."""
        return {name: self.facts[name] for name in ("source", self.column, "table_id", "version", "hash")}


def feature_day(run: Run, table: FeatureTable, view: View) -> DeliveredSlice:
    ds = str(run.ds)
    return DeliveredSlice(
        table.plain_name,
        "ds",
        (view.entity,),
        "delivered_hours" if run.contract.every == HOUR else "delivered_days",
        view.stored.schema,
        _publication_of(run, table, view),
        lambda: view.stored.batches(ds),
        lambda: (rows for _, rows in view.by_day(ds=ds)),
    )


def _publication_of(run: Run, table: FeatureTable, view: View) -> dict[str, Any]:
    """Which publication of the day this is, by version and by hash."""
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
