"""Delivers days of a small published table, in this process or in one that is killed on its way."""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import psycopg
import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, write_deltalake

from common.delivery.deliver import deliver
from common.orchestration.cli import plan
from common.orchestration.options import NOW
from common.runtime.run import Outcome
from tests.support.published_tables import rows_of

TABLE, MODEL = "churn/v1", "churn_baseline"
PREDICTED = pa.schema(
    [
        ("customer_id", pa.string()),
        ("example_time", pa.timestamp("us", "UTC")),
        ("churn", pa.bool_()),
        ("chance", pa.float64()),
    ]
)


def deliver_day(lake: Path, ds: str, to: str, full_refresh: bool = False, **asked: Any) -> Outcome:
    options = {"lake": str(lake), "landing": None, "env": "local", "long_range": False, "dataset": "churn", **asked}
    [run] = plan("deliver", {**options, "ds": ds, "to": to, "full_refresh": full_refresh})
    return deliver(run)


def deliver_predictions(lake: Path, to: str, version: int | None = None, full_refresh: bool = False) -> Outcome:
    return deliver_day(lake, NOW, to, full_refresh, predictions=MODEL, training_set_version=version)


def predict(lake: Path, text: str, version: int) -> None:
    """Leaves predictions as a model of no code of ours does; they replace those for the same version."""
    rows = rows_of(text, PREDICTED)
    uri = f"{lake}/predictions/{MODEL}"
    write_deltalake(
        uri,
        rows.append_column("training_set_version", pa.array([version] * rows.num_rows, pa.int32())),
        mode="overwrite",
        predicate=f"training_set_version = {version}" if DeltaTable.is_deltatable(uri) else None,
        partition_by=["training_set_version"],
        commit_properties=CommitProperties({"userMetadata": json.dumps({"training_set": f"{MODEL}/v{version}"})}),
    )


def _kill_before(nth: int) -> None:
    """Before the nth statement; statements are counted from the first one after the connection."""
    execute, count = psycopg.Connection.execute, 0

    def counted(self: Any, *words: Any, **named: Any) -> Any:
        nonlocal count
        count += 1
        if count == nth:
            os.kill(os.getpid(), signal.SIGKILL)
        return execute(self, *words, **named)

    psycopg.Connection.execute = counted  # type: ignore[method-assign]


if __name__ == "__main__":
    _kill_before(int(sys.argv[1]))
    if sys.argv[3] == "predictions":
        deliver_predictions(Path(sys.argv[2]), sys.argv[4])
    else:
        deliver_day(Path(sys.argv[2]), sys.argv[3], sys.argv[4])
