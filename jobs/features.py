"""processed -> features: one row per entity, from the rows that had arrived by the end of ds."""

from __future__ import annotations

from common.contracts import layout
from common.features import build, definition
from common.lake.commit_metadata import source_versions
from common.lake.merge import DesiredSlice, converge
from common.orchestration import staleness
from common.orchestration.cli import run_job
from common.orchestration.job import Job, Watch
from common.runtime.run import Outcome, Run
from jobs.partials import bring_up_to_date


def main(run: Run) -> Outcome:
    table = layout.features(run.contract)
    staleness.require_usable(run, "processed")
    feature_definition = definition.require_unchanged(run)
    sources = source_versions(run, build.source_tables(run.contract))
    bring_up_to_date(run)
    rows, counts = build.build_features(run)
    books = {"counts": counts, "sources": sources, **feature_definition.facts}
    change = converge(
        run, DesiredSlice(table=table, where={"ds": [run.ds]}, desired=rows, size=counts["features"]), books
    )
    return Outcome.of(counts, [(table, change)])


FEATURES = Job(
    "features",
    main,
    on_spark=True,
    check=definition.require_unchanged,
    watches=lambda run: [
        *(Watch(table, lambda day: day in build.arrival_days(run)) for table in build.source_tables(run.contract)),
        Watch(layout.features(run.contract), lambda day: False),
    ],
)

if __name__ == "__main__":
    run_job(FEATURES)
