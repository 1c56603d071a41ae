"""A model's predictions as they are delivered: one version of its training set is one slice."""

from __future__ import annotations

import pyarrow as pa

from common.delivery.slices import DeliveredSlice
from common.errors import SourceMissingError, UsageError
from common.lake.content_hash import hash_rows
from common.lake.log import delta_log
from common.lake.snapshot import TableSnapshot, open_version
from common.lake.storage.files import list_folders
from common.names import did_you_mean, require_name
from common.runtime.run import Run
from common.training.training_set import TIME

FOLDER, VERSION = "predictions", "training_set_version"


def predictions(run: Run) -> DeliveredSlice:
    name = require_name(run.options["predictions"], "a table of predictions")
    stored = _open(run.settings.lake, name)
    key = _key(stored, run.contract.features.entity)
    number = _number(stored, run.options.get(VERSION))
    rows = stored.read(str(number)).sort_by([(column, "ascending") for column in key])
    return DeliveredSlice(
        f"{FOLDER}_{name}",
        VERSION,
        key,
        "delivered_predictions",
        stored.schema,
        {
            "source": f"{FOLDER}/{name}",
            VERSION: number,
            "table_id": stored.table_id,
            "version": _written_by(stored, number),
            "hash": hash_rows(rows, key),
            "rows": rows.num_rows,
            "run_id": run.run_id,
        },
        rows.to_batches,
        lambda: iter([rows]),
    )


def _open(lake: str, name: str) -> TableSnapshot:
    uri = f"{lake}/{FOLDER}/{name}"
    if not delta_log.exists(uri):
        known = list_folders(f"{lake}/{FOLDER}")
        raise SourceMissingError(
            f"{FOLDER}/{name} is not in {lake}; there are: {', '.join(known) or 'none'}{did_you_mean(name, known)}"
        )
    stored = open_version(uri, delta_log.version(uri))
    if list(stored.table.metadata().partition_columns) != [VERSION] or not pa.types.is_integer(_type(stored)):
        raise UsageError(f"{uri} is not partitioned by a whole number {VERSION}; expected that, and no other partition")
    return stored


def _type(stored: TableSnapshot) -> pa.DataType:
    return stored.schema.field(VERSION).type


def _key(stored: TableSnapshot, entity: str) -> tuple[str, ...]:
    if entity not in stored.schema.names:
        raise UsageError(f"{stored.uri} has no column {entity}; expected the dataset's entity. Correct --dataset")
    return (entity, TIME) if TIME in stored.schema.names else (entity,)


def _number(stored: TableSnapshot, asked: int | None) -> int:
    known = sorted(int(part) for part in stored.files)
    number = asked if asked is not None else max(known, default=None)
    if number not in known:
        shown = "any version" if number is None else f"v{number}"
        raise SourceMissingError(
            f"{stored.uri} has nothing for {shown} of its training set; it has: "
            f"{', '.join(f'v{one}' for one in known) or 'none'}"
        )
    return number


def _written_by(stored: TableSnapshot, number: int) -> int:
    """The table's version that its writer says holds these predictions; the present one if none says so."""
    for commit in delta_log.commits(stored.uri):
        if str(commit.books.get("training_set", "")).endswith(f"/v{number}"):
            return commit.version
    return stored.version
