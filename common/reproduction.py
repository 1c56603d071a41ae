"""Published rows made again from the source versions that their publication names."""

from __future__ import annotations

from dataclasses import replace

from common import features, layout, ledger, partials, publishing
from common.days import around
from common.errors import ContractBroken, NothingThere
from common.known import rows_known
from common.revision import code_revision
from common.run import Outcome, Run
from common.sameness import unlike


def reproduce(run: Run) -> Outcome:
    """Computes the day anew, straight from the rows as they were, and compares it with what was published."""
    table = layout.published(run.contract)
    facts = publishing.facts_by_day(run.path(table)).get(str(run.ds))
    if facts is None:
        raise NothingThere(f"{table.path} has no published {run.ds}; run: spark-submit jobs/publish.py")
    if facts["revision"] != code_revision():
        run.log.warning("made by revision %s, made again by %s", facts["revision"] or "?", code_revision() or "?")
    made = replace(run, at=facts["sources"])
    window = run.contract.features.window_days
    fresh = partials.aggregate(made, rows_known(made, around(run.ds, window - 1), run.ds)) if window else None
    rows, counts = features.build(made, fresh)
    published, again = ledger.read(run.path(table), {"ds": [run.ds]}), rows.toArrow()
    found = unlike(published, again, table.identity)
    if found is not None:
        raise ContractBroken(
            f"{table.path} of {run.ds} can't be made again: unlike are {found.words}. It was made by revision "
            f"{facts['revision']}; check that one out and try again, or look for what depends on more than the sources.",
            found.facts,
        )
    said = {name: facts[name] for name in ("hash", "sources")}
    return Outcome("done", counts, facts={**said, "made_by": facts["run_id"]})
