"""Rebuild published rows from the source versions recorded in their publication."""

from __future__ import annotations

from dataclasses import replace

from common.clean.as_of import rows_known
from common.contracts import layout
from common.days import day_range, from_text
from common.errors import ContractViolationError
from common.features import build, definition, partials
from common.lake import snapshot
from common.lake.log.delta_log import NO_TABLE
from common.lake.row_diff import diff_rows
from common.published.catalog import Lake
from common.runtime.code_version import code_revision
from common.runtime.run import Outcome, Run


def reproduce(run: Run) -> Outcome:
    """Rebuild the day from its source rows and compare it with what was published.

    The options `feature_version` and `publication` choose another feature version or an older publication.
    """
    declared = layout.published(run.contract)
    number = run.options.get("feature_version") or run.contract.features.version
    table = Lake(run.settings.lake).features(f"{run.contract.name}@v{number}")
    view = table.at(version=run.options.get("publication"))
    published = view.arrow(ds=run.ds)
    facts = view.published[str(run.ds)]
    subject = f"{table.path} of {run.ds}"
    definition.require_declared(run.dataset, facts, subject)
    if facts["revision"] != code_revision():
        run.log.warning(
            "published by revision %s, rebuilding with revision %s", facts["revision"] or "?", code_revision() or "?"
        )
    left_out = tuple(map(from_text, facts.get("left_out", [])))
    past_run = replace(run, at=facts["sources"], left_out=left_out)
    _require_sources(past_run)
    features = run.contract.features
    fresh = (
        partials.aggregate(past_run, rows_known(past_run, day_range(run.ds, features.days_back), run.ds), [])
        if features.window_days
        else None
    )
    rows, counts = build.build_features(past_run, fresh)
    difference = diff_rows(published, rows.toArrow(), declared.identity)
    if difference is not None:
        raise ContractViolationError(
            f"{subject} can't be made again: the rows differ in {difference.words}. It was published by revision "
            f"{facts['revision']}; check out that revision and try again, or find what depends on more than the sources.",
            difference.facts,
        )
    named = {name: facts[name] for name in ("hash", "sources")}
    return Outcome("done", counts, facts={**named, "publication": view.version, "made_by": facts["run_id"]})


def _require_sources(run: Run) -> None:
    dates = [str(day) for day in day_range(run.ds, run.contract.features.days_back)]
    for table in build.source_tables(run.contract):
        version = run.at.get(table.path, NO_TABLE)
        if version != NO_TABLE:
            snapshot.open_version(run.path(table), version).require_present(dates)
