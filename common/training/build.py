"""Build a training set from published versions: pin the inputs, split repeatably, and fit the steps on train."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.pandas.types import from_arrow_schema

from common.errors import ContractViolationError, UsageError
from common.lake import content_hash, pins, spark_tables
from common.lake.log.commit_metadata import signature
from common.lake.period_columns import start
from common.lake.storage.files import write_json
from common.lake.storage.locks import at_work, hold
from common.lake.training_manifests import FOLDER, manifests, place
from common.names import did_you_mean
from common.quality import profiles
from common.runtime import plan_size
from common.training import leak_check
from common.training.as_of_join import SPLIT, as_of, known_at, newest_known, split_of
from common.training.fitting import Fitted, columns_used, fit
from common.training.inputs import Inputs, inputs_of
from common.training.store import read_delta, write_parquet
from common.training.training_set import SPLITS, TIME, From, Labels, Snapshot, TrainingSet, pin_name

if TYPE_CHECKING:
    from common.runtime.run import Run

LEFT_OUT = "left_out"
Later = Callable[[DataFrame, DataFrame, str, From], DataFrame]


def build_training_set(days: Sequence[Run], declared: TrainingSet, labels: str | None) -> dict[str, Any]:
    """Return the manifest of the training set for these inputs, building a new version unless one exists."""
    run = days[0]
    lake, waits = run.settings.lake, run.settings.lock_wait_seconds
    with (
        at_work(lake, run.contract.name, f"{FOLDER}/{declared.name}", waits),
        hold(lake, f"{FOLDER}/{declared.name}", waits),
    ):
        inputs = inputs_of(days, declared, labels)
        known = manifests(run.settings.lake, declared.name)
        same = [existing for existing in known if existing["inputs"]["fingerprint"] == inputs.fingerprint]
        if same:
            return {**same[0], "outcome": "nothing"}
        version = max((existing["version"] for existing in known), default=0) + 1
        return {**_build(run, inputs, version), "outcome": "done"}


def _build(run: Run, inputs: Inputs, version: int) -> dict[str, Any]:
    name = inputs.declared.name
    here = place(run.settings.lake, name, version)
    rows, counts = assemble(run, inputs)
    fitted = fit_on_train(rows, inputs.declared)
    written, few = {}, counts["examples"] <= plan_size.FEW_ROWS
    for split in SPLITS:
        of_split = rows.where(F.col(SPLIT) == split).drop(SPLIT)
        written[split] = _write(_transformed(of_split, fitted, few), [of_split.columns[0], TIME], split, here)
    pinned = _pin_inputs(run.settings.lake, inputs, version)
    manifest = {
        "name": name,
        "version": version,
        "description": inputs.declared.description,
        "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "inputs": {
            "fingerprint": inputs.fingerprint,
            "days": [str(inputs.days[0]), str(inputs.days[-1])],
            "versions": inputs.versions,
            "content": inputs.content,
            "labels": inputs.labels and inputs.labels.facts,
            "pins": pinned,
        },
        "declared": repr(inputs.declared),
        "counts": counts,
        "splits": written,
        "fitted": fitted.to_json(),
        "profiles": _profiles(run, rows, inputs),
        **signature(run),
    }
    # Write the manifest last: a version without one is incomplete, and the next build replaces it.
    write_json(f"{here}/manifest.json", manifest)
    return manifest


def assemble(run: Run, inputs: Inputs, later: Later | None = None) -> tuple[DataFrame, dict[str, int]]:
    """Return the examples with their features and split, and the number of examples in each split."""
    declared = inputs.declared
    rows = _snapshot(run, inputs) if isinstance(declared.examples, Snapshot) else _labelled(run, inputs, later)
    moment = F.col(TIME) if inputs.labels else start(_own_ds(inputs), inputs.every)
    rows = rows.withColumn(SPLIT, F.coalesce(split_of(declared.split, inputs.entity, moment), F.lit(LEFT_OUT)))
    measures = {split: F.count_if(F.col(SPLIT) == split) for split in (*SPLITS, LEFT_OUT)}
    rows, counts = spark_tables.materialize(rows, examples=F.count(F.lit(1)), **measures)
    if not counts["train"]:
        raise ContractViolationError(
            f"training set {declared.name}: none of the {counts['examples']} examples of {inputs.days[0]}..{inputs.days[-1]} "
            f"is in the train split ({declared.split}); expected at least one. Choose other days, or another split"
        )
    if inputs.labels:
        counts["labels_outside"] = inputs.labels.outside
    return rows, counts


def _profiles(run: Run, rows: DataFrame, inputs: Inputs) -> list[dict[str, Any]]:
    """Profile the train split before any step, as a reference for later days."""
    examples = inputs.declared.examples
    if not isinstance(examples, Snapshot) or examples.table != f"{run.contract.name}@v{run.contract.features.version}":
        return []
    train = rows.where(F.col(SPLIT) == "train").withColumn("ds", _own_ds(inputs))
    return [{**vars(profile), "ds": str(profile.ds)} for profile in profiles.measure(train, run, "features")]


def fit_on_train(rows: DataFrame, declared: TrainingSet) -> Fitted:
    """Fit the steps on the train split alone; of its columns, only those that they use come here."""
    train = rows.where(F.col(SPLIT) == "train").drop(SPLIT)
    used = columns_used(declared.steps)
    chosen = train.select(*[name for name in train.columns if name in used])
    return fit(declared.steps, chosen.toArrow(), train.limit(0).toArrow().schema)


def check_leaks(days: Sequence[Run], declared: TrainingSet, labels: str | None) -> dict[str, int]:
    """Check that fitting ignores rows outside the train split, and that the join ignores features after a label."""
    run, inputs = days[0], inputs_of(days, declared, labels)
    rows, known = assemble(run, inputs)
    counts = leak_check.check_fit(rows, lambda examples: fit_on_train(examples, declared))
    if inputs.labels:
        poisoned, _ = assemble(run, inputs, leak_check.later)
        counts |= leak_check.check_join(rows, poisoned, inputs.entity, known["examples"])
    return counts


def _snapshot(run: Run, inputs: Inputs) -> DataFrame:
    rows = inputs.rows(run, inputs.declared.examples.table)  # type: ignore[union-attr]
    return rows.withColumn(TIME, known_at(F.col("ds"), inputs.every)).drop("ds")


def _own_ds(inputs: Inputs) -> Column:
    """The ds that an example of a snapshot had."""
    return newest_known(F.col(TIME), inputs.every)


def _labelled(run: Run, inputs: Inputs, later: Later | None) -> DataFrame:
    """Join the labels to the features known at their time; `later` may replace feature rows that were not yet known."""
    labels = inputs.declared.examples
    assert isinstance(labels, Labels) and inputs.labels is not None
    rows = label_rows = inputs.labels.rows
    taken = {labels.entity, TIME, labels.label}
    for source in inputs.declared.features:
        features = inputs.rows(run, source.table)
        if later:
            features = later(features, label_rows, labels.entity, source)
        columns = _output_names(source, features, labels.entity, taken)
        rows = as_of(rows, features, labels.entity, source, columns)
    return rows


def _output_names(source: From, features: DataFrame, entity: str, taken: set[str]) -> dict[str, str]:
    """Map the requested columns to their output names, prefixed with the table where the name is taken."""
    names = source.columns or tuple(name for name in features.columns if name not in ("ds", entity))
    unknown = [name for name in (entity, *names) if name not in features.columns]
    if unknown:
        raise UsageError(
            f"{source.table} has no columns {unknown}; it has {features.columns}. Declare columns that it has"
            f"{did_you_mean(unknown[0], features.columns)}"
        )
    table = source.table.partition("@")[0]
    aliases = {name: f"{table}_{name}" if name in taken else name for name in names}
    taken |= set(aliases.values())
    return aliases


def _write(rows: DataFrame | pa.Table, key: list[str], split: str, here: str) -> dict[str, Any]:
    """Write one split as a Delta table and as one Parquet file, over the remains of an interrupted build."""
    spark_tables.write_whole(rows, f"{here}/{split}")
    stored = read_delta(f"{here}/{split}")
    write_parquet(stored, f"{here}/export/{split}.parquet")
    return {"rows": stored.num_rows, "hash": content_hash.hash_rows(stored, key)}


def _transformed(rows: DataFrame, fitted: Fitted, few: bool) -> DataFrame | pa.Table:
    """Few rows in this process: Spark would start Python for them, and plan a job for each split."""
    if few:
        return fitted.apply(rows.toArrow())

    def apply(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            yield from fitted.apply(pa.Table.from_batches([batch])).to_batches()

    return rows.mapInArrow(apply, from_arrow_schema(fitted.output_schema))


def _pin_inputs(lake: str, inputs: Inputs, version: int) -> list[str]:
    """Pin the input versions, after releasing the pins of an interrupted build of this version."""
    name = inputs.declared.name
    note = f"{FOLDER}/{name}/v{version}"
    for leftover in [pin for pin in pins.pins(lake) if pin.note == note]:
        pins.release(lake, leftover.name)
    names = {table: pin_name(name, version, table) for table in inputs.versions}
    for table, view in inputs.views.items():
        pins.pin(lake, names[table], view.stored.uri.removeprefix(f"{lake}/"), view.version, note=note)
    return list(names.values())


def line(days: Sequence[Run], manifest: dict[str, Any]) -> dict[str, Any]:
    """The job's JSON line for this training set."""
    name = f"{FOLDER}/{manifest['name']}"
    return {
        "job": "training_set",
        "dataset": days[0].contract.name,
        "ds": f"{days[0].ds}..{days[-1].ds}",
        "outcome": manifest["outcome"],
        "counts": manifest["counts"],
        "read": manifest["inputs"]["versions"],
        "written": {name: manifest["version"]} if manifest["outcome"] == "done" else {},
        "training_set": f"{name}/v{manifest['version']}",
        "run_id": manifest["run_id"],
    }
