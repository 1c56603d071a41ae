"""processed -> features: one row per entity, from what had arrived by the end of ds."""

from __future__ import annotations

from common.contracts import layout
from common.features import build, definition
from common.features.partials import bring_up_to_date
from common.lake.merge import Wish, converge
from common.orchestration import staleness
from common.orchestration.cli import run_job
from common.orchestration.job import Job, Watch
from common.runtime.run import Outcome, Run


def main(run: Run) -> Outcome:
    table = layout.features(run.contract)
    staleness.insist_fit(run, "processed")
    meaning = definition.insist_unchanged(run)
    sources = run.versions(build.sources(run.contract))
    bring_up_to_date(run)
    rows, counts = build.build(run)
    books = {"counts": counts, "sources": sources, **meaning.facts}
    change = converge(run, Wish(table=table, where={"ds": [run.ds]}, desired=rows, size=counts["features"]), books)
    return Outcome.of(counts, [(table, change)])


FEATURES = Job(
    "features",
    main,
    on_spark=True,
    watches=lambda run: [
        *(Watch(table, lambda day: day in build.arrivals(run)) for table in build.sources(run.contract)),
        Watch(layout.features(run.contract), lambda day: False),
    ],
)

if __name__ == "__main__":
    run_job(FEATURES)
