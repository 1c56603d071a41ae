"""processed -> features: one row per entity, from what had arrived by the end of ds."""

from __future__ import annotations

from common import definition, features, stale
from common.cli import run_job
from common.contracts import layout
from common.job import Job, Watch
from common.lake.merge import Wish, converge
from common.partials import bring_up_to_date
from common.runtime.run import Outcome, Run


def main(run: Run) -> Outcome:
    table = layout.features(run.contract)
    stale.insist_fit(run, "processed")
    meaning = definition.insist_unchanged(run)
    sources = run.versions(features.sources(run.contract))
    bring_up_to_date(run)
    rows, counts = features.build(run)
    books = {"counts": counts, "sources": sources, **meaning.facts}
    change = converge(run, Wish(table=table, where={"ds": [run.ds]}, desired=rows, size=counts["features"]), books)
    return Outcome.of(counts, [(table, change)])


FEATURES = Job(
    "features",
    main,
    on_spark=True,
    watches=lambda run: [
        *(Watch(table, lambda day: day in features.arrivals(run)) for table in features.sources(run.contract)),
        Watch(layout.features(run.contract), lambda day: False),
    ],
)

if __name__ == "__main__":
    run_job(FEATURES)
