"""published features -> training_sets/<name>/v<N>: joins and splits examples, and fits the steps on train."""

from __future__ import annotations

from common.orchestration.cli import run_whole
from common.orchestration.job import Line
from common.runtime.run import Run
from common.training import build, tracking
from common.training.training_set import declared_training_set
from jobs.arguments import parser_of


def main(days: list[Run]) -> Line:
    run = days[0]
    tracking.require_client()
    declared = declared_training_set(run.dataset, run.options["name"])
    manifest = build.build_training_set(days, declared, run.options["labels"])
    return {**build.line(days, manifest), **tracking.tell(manifest)}


if __name__ == "__main__":
    run_whole("training_set", parser_of("training_set"), main)
