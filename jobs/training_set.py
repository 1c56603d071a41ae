"""published features -> training_sets/<name>/v<N>: joins and splits examples, and fits the steps on train."""

from __future__ import annotations

from common.orchestration.cli import run_whole
from common.orchestration.job import Line
from common.runtime.run import Run
from common.training import build
from common.training.training_set import declared_training_set
from jobs.arguments import parser_of


def main(days: list[Run]) -> Line:
    run = days[0]
    declared = declared_training_set(run.dataset, run.options["name"])
    return build.line(days, build.build_training_set(days, declared, run.options["labels"]))


if __name__ == "__main__":
    run_whole("training_set", parser_of("training_set"), main)
