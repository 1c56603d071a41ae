"""published features -> training_sets/<name>/v<N>: joins and splits examples, and fits the steps on train."""

from __future__ import annotations

from common.orchestration.cli import parser, run_whole
from common.orchestration.job import Line
from common.runtime.run import Run
from common.training import build, tracking
from common.training.training_set import declared_training_set


def main(days: list[Run]) -> Line:
    run = days[0]
    tracking.require_client()
    declared = declared_training_set(run.dataset, run.options["name"])
    manifest = build.build_training_set(days, declared, run.options["labels"])
    return {**build.line(days, manifest), **tracking.tell(manifest)}


if __name__ == "__main__":
    arguments = parser("training_set", example="--name NAME")
    arguments.add_argument(
        "--name", required=True, help="which training set: one that the dataset's training.py declares"
    )
    arguments.add_argument(
        "--labels", help="a file of labels (Parquet, CSV or Delta), for a training set that needs one"
    )
    run_whole("training_set", arguments, main)
