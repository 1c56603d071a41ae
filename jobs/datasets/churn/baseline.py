"""Trains a small model on the churn training set and scores it: `python -m jobs.datasets.churn.baseline`."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from common.errors import exit_on_error
from common.lake import training_manifests
from common.lake.log import delta_log
from common.lake.log.commit_metadata import unsigned_commit
from common.lake.slices import Replacement, replace_slice
from common.runtime.command_line import CommandLine
from common.runtime.settings import load_settings
from common.training import store
from common.training.training_set import TIME

NAME, LABEL, ENTITY = "churn_baseline", "churn", "customer_id"
PREDICTIONS = f"predictions/{NAME}"


@exit_on_error()
def main() -> None:
    parser = CommandLine(prog="python -m jobs.datasets.churn.baseline", description=__doc__)
    parser.with_help(".venv/bin/python -m jobs.datasets.churn.baseline --lake data/lake")
    parser.add_argument("--lake", help="where the tables are (default: LAKE, then conf)")
    lake = load_settings("local", lake=parser.parse_args().lake).lake
    manifest = training_manifests.manifest(lake, NAME)
    earlier = _earlier_result(f"{lake}/{PREDICTIONS}", manifest["version"])
    print(f"nothing to do: {_in_words(earlier)}" if earlier else _in_words(learn(lake, manifest)))


def learn(lake: str, manifest: dict[str, Any]) -> dict[str, Any]:
    """Fits the model, writes its predictions for the test split, and returns the result: score, inputs and sizes."""
    # Here, because they take over a second, which a wrong argument or a model that is there already need not wait for.
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import roc_auc_score

    splits = {split: store.read_split(lake, NAME, split, manifest["version"]) for split in ("train", "test")}
    columns = [name for name in splits["train"].column_names if name not in (ENTITY, TIME, LABEL)]
    train, test = (rows.to_pandas() for rows in splits.values())
    model = LogisticRegression(max_iter=1_000).fit(train[columns].astype(float), train[LABEL])
    chances = model.predict_proba(test[columns].astype(float))[:, 1]
    result = {
        "training_set": f"{NAME}/v{manifest['version']}",
        "inputs": manifest["inputs"]["versions"],
        "learnt_from": len(train),
        "tested_on": len(test),
        "roc_auc": float(roc_auc_score(test[LABEL], chances)) if test[LABEL].nunique() > 1 else None,
    }
    predictions = splits["test"].select([ENTITY, TIME, LABEL]).append_column("chance", pa.array(chances))
    _write(f"{lake}/{PREDICTIONS}", predictions, manifest["version"], result)
    return result


def _in_words(result: dict[str, Any]) -> str:
    score = (
        "no score, the test split has one outcome only"
        if result["roc_auc"] is None
        else f"ROC AUC {result['roc_auc']:.3f}"
    )
    return (
        f"baseline on {result['training_set']}: {score}, on {result['tested_on']:,} examples, trained on "
        f"{result['learnt_from']:,} others; predictions in {PREDICTIONS}"
    )


def _earlier_result(uri: str, version: int) -> dict[str, Any] | None:
    """The metadata of the commit that predicted from this training set, if there is one."""
    name = f"{NAME}/v{version}"
    commits = (commit.books for commit in delta_log.commits(uri))
    return next((books for books in commits if books.get("training_set") == name), None)


def _write(uri: str, rows: pa.Table, version: int, result: dict[str, Any]) -> None:
    """Writes the predictions of one training set; the commit names the versions of its inputs."""
    named = rows.append_column("training_set_version", pa.array([version] * rows.num_rows, pa.int32()))
    chosen = Replacement({"training_set_version": [version]}, named, unsigned_commit(result))
    replace_slice(uri, lambda stored: chosen, partition_by=["training_set_version"])


if __name__ == "__main__":
    main()
