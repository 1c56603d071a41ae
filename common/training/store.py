"""Read the rows and the fitted steps of a training set. No Spark.

rows = store.read_split("data/lake", "my_training_set", "train").to_pandas()
"""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from common.errors import UsageError
from common.lake.log import delta_log
from common.lake.storage.files import locate
from common.lake.training_manifests import manifest, place
from common.training.fitting import Fitted
from common.training.training_set import SPLITS, TIME


def read_split(lake: str, name: str, split: str, version: int | None = None) -> pa.Table:
    if split not in SPLITS:
        raise UsageError(f"split {split!r} is not known; expected one of: {', '.join(SPLITS)}")
    return read_delta(f"{place(lake, name, manifest(lake, name, version)['version'])}/{split}")


def fitted(manifest: dict[str, Any]) -> Fitted:
    """The fitted steps, ready to apply to later rows."""
    return Fitted.from_json(manifest["fitted"])


def read_delta(uri: str) -> pa.Table:
    """Read a Delta table, sorted by entity and time."""
    rows = delta_log.dataset(delta_log.plainly_readable(delta_log.at_version(uri), uri)).to_table()
    return rows.sort_by([(rows.column_names[0], "ascending"), (TIME, "ascending")])


def write_parquet(rows: pa.Table, uri: str) -> None:
    """Write the rows as one Parquet file, for tools that cannot read Delta."""
    system, path = locate(uri)
    system.create_dir(path.rpartition("/")[0], recursive=True)
    pq.write_table(rows, path, filesystem=system)
