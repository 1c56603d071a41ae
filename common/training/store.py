"""The training sets that there are, and their rows. No Spark.

rows = training_store.read("data/lake", "my_training_set", "train").to_pandas()
"""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import DeltaTable

from common.errors import BadArguments, NothingThere
from common.lake.files import list_files, locate, read_json
from common.training.fitting import Fitted
from common.training.training_set import SPLITS, TIME

FOLDER = "training_sets"


def place(lake: str, name: str, version: int) -> str:
    return f"{lake}/{FOLDER}/{name}/v{version}"


def manifests(lake: str, name: str) -> list[dict[str, Any]]:
    """Of every version that was built to its end, oldest first."""
    files = [each.path for each in list_files(f"{lake}/{FOLDER}/{name}", recursive=True)]
    found = [read_json(file) for file in files if file.endswith("/manifest.json")]
    return sorted((each for each in found if each), key=lambda each: int(each["version"]))


def manifest(lake: str, name: str, version: int | None = None) -> dict[str, Any]:
    """Of that version, or of the newest."""
    found = {each["version"]: each for each in manifests(lake, name)}
    wanted = max(found, default=None) if version is None else version
    if wanted not in found:
        raise NothingThere(
            f"training set {name} v{wanted or '?'} is not in {lake}; there are: {sorted(found) or 'none'}. Build it with: "
            f"spark-submit jobs/training_set.py --dataset … --name {name} --ds A..B"
        )
    return found[wanted]


def read(lake: str, name: str, split: str, version: int | None = None) -> pa.Table:
    if split not in SPLITS:
        raise BadArguments(f"split {split!r} is not known; expected one of: {', '.join(SPLITS)}")
    return delta(f"{place(lake, name, manifest(lake, name, version)['version'])}/{split}")


def fitted(manifest: dict[str, Any]) -> Fitted:
    """The steps as they were fitted, to be applied to any later row."""
    return Fitted.from_json(manifest["fitted"])


def delta(uri: str) -> pa.Table:
    """Its rows, by entity and time, however they are stored."""
    rows = DeltaTable(uri).to_pyarrow_table()
    return rows.sort_by([(rows.column_names[0], "ascending"), (TIME, "ascending")])


def export(rows: pa.Table, uri: str) -> None:
    """As one Parquet file, for tools that know no Delta."""
    system, path = locate(uri)
    system.create_dir(path.rpartition("/")[0], recursive=True)
    pq.write_table(rows, path, filesystem=system)
