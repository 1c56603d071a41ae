"""A small model on the churn training set, its score, and its predictions: `python -m jobs.datasets.churn.baseline`."""

from __future__ import annotations

import argparse
import json

import pyarrow as pa
from deltalake import CommitProperties, write_deltalake
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from common import history, training_store
from common.settings import load_settings
from common.training import TIME

NAME, LABEL, ENTITY = "churn_baseline", "churn", "customer_id"
PREDICTIONS = f"predictions/{NAME}"


def main() -> None:
    arguments = argparse.ArgumentParser(prog="python -m jobs.datasets.churn.baseline", description=__doc__)
    arguments.add_argument("--lake")
    lake = load_settings("local", lake=arguments.parse_args().lake).lake
    manifest = training_store.manifest(lake, NAME)
    splits = {split: training_store.read(lake, NAME, split, manifest["version"]) for split in ("train", "test")}
    columns = [name for name in splits["train"].column_names if name not in (ENTITY, TIME, LABEL)]
    train, test = (rows.to_pandas() for rows in splits.values())
    model = LogisticRegression(max_iter=1_000).fit(train[columns].astype(float), train[LABEL])
    chances = model.predict_proba(test[columns].astype(float))[:, 1]
    score = float(roc_auc_score(test[LABEL], chances))
    made_from = {
        "training_set": f"{NAME}/v{manifest['version']}",
        "inputs": manifest["inputs"]["versions"],
        "roc_auc": score,
    }
    found = splits["test"].select([ENTITY, TIME, LABEL]).append_column("chance", pa.array(chances))
    version = _write(f"{lake}/{PREDICTIONS}", found, manifest["version"], made_from)
    print(
        f"baseline on {NAME} v{manifest['version']}: {len(train)} rows to learn from, ROC AUC {score:.3f} on {len(test)} "
        f"others; predictions in {PREDICTIONS}, version {version}"
    )


def _write(uri: str, rows: pa.Table, version: int, made_from: dict[str, object]) -> int:
    """The predictions of one training set; its commit says which versions made them."""
    named = rows.append_column("training_set_version", pa.array([version] * rows.num_rows, pa.int32()))
    write_deltalake(
        uri,
        named,
        mode="overwrite",
        predicate=f"training_set_version = {version}" if history.exists(uri) else None,
        partition_by=["training_set_version"],
        commit_properties=CommitProperties(custom_metadata={"userMetadata": json.dumps(made_from)}),
    )
    return history.version(uri)


if __name__ == "__main__":
    main()
