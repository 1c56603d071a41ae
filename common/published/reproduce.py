"""Published rows made again from the source versions that their publication names."""

from __future__ import annotations

from dataclasses import replace

from common.clean.as_of import rows_known
from common.contracts import layout
from common.days import day_range
from common.errors import ContractViolationError
from common.features import build, definition, partials
from common.lake import snapshot
from common.lake.delta_log import NO_TABLE
from common.lake.row_diff import diff_rows
from common.published.catalog import Lake
from common.runtime.code_version import code_revision
from common.runtime.run import Outcome, Run


def reproduce(run: Run) -> Outcome:
    """Computes the day anew, straight from the rows as they were, and compares it with what was published.

    Of another feature version or an older publication where those are asked for: `feature_version`, `publication`.
    """
    declared = layout.published(run.contract)
    number = run.options.get("feature_version") or run.contract.features.version
    table = Lake(run.settings.lake).features(f"{run.contract.name}@v{number}")
    view = table.at(version=run.options.get("publication"))
    published = view.arrow(ds=run.ds)
    facts = view.published[str(run.ds)]
    said = f"{table.path} of {run.ds}"
    definition.require_declared(run.dataset, facts, said)
    if facts["revision"] != code_revision():
        run.log.warning("made by revision %s, made again by %s", facts["revision"] or "?", code_revision() or "?")
    made = replace(run, at=facts["sources"])
    _insist_sources(made)
    window = run.contract.features.window_days
    fresh = partials.aggregate(made, rows_known(made, day_range(run.ds, window - 1), run.ds), []) if window else None
    rows, counts = build.build_features(made, fresh)
    found = diff_rows(published, rows.toArrow(), declared.identity)
    if found is not None:
        raise ContractViolationError(
            f"{said} can't be made again: unlike are {found.words}. It was made by revision "
            f"{facts['revision']}; check that one out and try again, or look for what depends on more than the sources.",
            found.facts,
        )
    named = {name: facts[name] for name in ("hash", "sources")}
    return Outcome("done", counts, facts={**named, "publication": view.version, "made_by": facts["run_id"]})


def _insist_sources(run: Run) -> None:
    dates = [str(day) for day in day_range(run.ds, max(0, run.contract.features.window_days - 1))]
    for table in build.source_tables(run.contract):
        version = run.at.get(table.path, NO_TABLE)
        if version != NO_TABLE:
            snapshot.open_version(run.path(table), version).insist_there(dates)
