"""processed -> features: one row per entity, from the rows that had arrived by the end of ds."""

from __future__ import annotations

from common.contracts import layout
from common.features import build, definition
from common.lake.merging.merge import DesiredSlice, converge
from common.orchestration import requirements, stages
from common.orchestration.cli import run_job
from common.orchestration.job import Job
from common.quality import measured
from common.runtime.run import Outcome, Run
from jobs.partials import bring_up_to_date


def main(run: Run) -> Outcome:
    table = layout.features(run.contract)
    requirements.require_passed(run, "processed")
    feature_definition = definition.require_unchanged(run)
    bring_up_to_date(run)
    rows, counts = build.build_features(run)
    books = {"counts": counts, **feature_definition.facts}
    change = converge(
        run, DesiredSlice(table=table, where={"ds": [run.ds]}, desired=rows, size=counts["features"]), books
    )
    measured.leave(run, "features", rows, change.version)
    return Outcome.of(counts, [(table, change)])


FEATURES = Job("features", main, stage=lambda run: stages.FEATURES, on_spark=True, check=definition.require_unchanged)

if __name__ == "__main__":
    run_job(FEATURES)
