"""Publish validated feature rows: all days of a range in one commit, with the facts about each day."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import takewhile
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable

from common.contracts import layout
from common.days import as_stored, range_text
from common.errors import SourceMissingError
from common.features import definition
from common.features.definition import Definition
from common.lake import table_properties
from common.lake.content_hash import ContentHash
from common.lake.log import data_files, delta_log
from common.lake.log.commit_metadata import arrow_commit, with_snapshot
from common.lake.log.delta_log import Commit, TableLog
from common.lake.slices import Replacement, replace_slice
from common.lake.storage.locks import committing
from common.orchestration import requirements, stages, staleness
from common.orchestration.changes import Logs
from common.published.view import facts_by_day
from common.runtime.run import Outcome, Run
from common.runtime.submit_command import spark_submit


@dataclass(frozen=True)
class ValidatedDay:
    """A day of feature rows, at the table version that was validated."""

    run: Run
    commit: Commit
    verdict: dict[str, Any]

    @property
    def version(self) -> int:
        return self.run.at[layout.features(self.run.contract).path]

    @property
    def content(self) -> ContentHash:
        """The content hash of the rows, read a batch at a time."""
        reader = _stream([self])
        content = ContentHash(reader.schema, layout.features(self.run.contract).identity)
        for batch in reader:
            content.add(batch)
        return content

    @property
    def facts(self) -> dict[str, Any]:
        """The run that wrote the rows, their sources, and the gate's verdict."""
        content = self.content
        return {
            "rows": content.rows,
            "hash": content.hexdigest(),
            "features_version": self.version,
            "features_id": self.run.ids[layout.features(self.run.contract).path],
            **{
                name: self.commit.books.get(name)
                for name in ("run_id", "code", "revision", "lock", "sources", "source_ids", "counts", "definition")
            },
            **({"left_out": self.commit.books["left_out"]} if "left_out" in self.commit.books else {}),
            "validation": self.verdict,
        }


def publish(days: Sequence[Run]) -> Outcome:
    """Publish all days in one commit, so that readers see all of them or none."""
    run, *_ = days
    meaning = definition.define(run.dataset)
    # Read all days from one version, so that the rows published are the rows validated.
    features = layout.features(run.contract)
    fixed = with_snapshot(run, [features])
    ready = [_ready(replace(day, at=fixed.at, ids=fixed.ids), meaning) for day in days]
    table, uri = layout.published(run.contract), run.path(layout.published(run.contract))
    with committing(run.settings.lake, table.path):
        facts = {str(day.run.ds): day.facts for day in ready}
        # Skip reading the log for new days: it only grows, and no commit holds them.
        seen = data_files.files(uri, ds=list(facts)) or not all(day["rows"] for day in facts.values())
        before = facts_by_day(commit.books for commit in delta_log.commits(uri)) if seen else {}
        changed = [day for day in ready if _differs(facts[str(day.run.ds)], before.get(str(day.run.ds))) or _moved(day)]
        counts = {"published": len(changed), "rows": sum(day["rows"] for day in facts.values())}
        if not changed:
            return Outcome("nothing", counts, facts={"read": fixed.at})
        books = {
            **meaning.facts,
            "ds": _range(days),
            "days": {str(day.run.ds): facts[str(day.run.ds)] for day in changed},
        }
        _write(uri, changed, books)
    return Outcome("done", counts, {table.path: delta_log.version(uri)}, {"read": fixed.at})


def _ready(run: Run, meaning: Definition) -> ValidatedDay:
    """Return the day if the gate has passed its rows as they are now; raise otherwise."""
    verdict = requirements.require_passed(run, "features")
    table, subject = layout.features(run.contract), f"features of {run.contract.name} {run.ds}"
    state = staleness.state_of(stages.FEATURES, run)
    if state is None:
        raise SourceMissingError(
            f"{table.path} has no commit of the features job for {subject}; expected one; run: "
            f"{spark_submit('features', run.contract.name, run.ds, full_refresh=True)}"
        )
    commit = state.commit
    if commit.books.get("definition", meaning.fingerprint) != meaning.fingerprint:
        raise definition.DefinitionChangedError(
            f"{subject} were built by another definition than the one declared now; run features again"
        )
    validation = {**verdict.counts, "run_id": verdict.run_id, "warned": verdict.warned}
    return ValidatedDay(run, commit, validation)


def _moved(day: ValidatedDay) -> bool:
    """Whether the features have been rewritten since they were published, even to the same rows."""
    state, logs = staleness.state_of(stages.PUBLISH, day.run), Logs(day.run)
    return state is not None and staleness.is_stale(stages.PUBLISH, day.run.ds, state, logs)


def _differs(facts: dict[str, Any], before: dict[str, Any] | None) -> bool:
    return before is None or any(
        facts[name] != before.get(name) for name in ("hash", "rows", "definition", "features_id")
    )


def _range(days: Sequence[Run]) -> str:
    return range_text(days[0].ds, days[-1].ds)


def _write(uri: str, days: Sequence[ValidatedDay], books: dict[str, Any]) -> None:
    contract = days[0].run.contract
    table = layout.published(contract)
    newest = delta_log.version(uri)

    def decide(_: DeltaTable | None) -> Replacement | None:
        # A machine that does not share our locks may have published some of the days meanwhile.
        since = takewhile(lambda commit: commit.version > newest, TableLog(uri))
        theirs = facts_by_day(commit.books for commit in since)
        still = [day for day in days if _is_news(books["days"][str(day.run.ds)], theirs.get(str(day.run.ds)))]
        if not still:
            return None
        facts = {str(day.run.ds): books["days"][str(day.run.ds)] for day in still}
        commit = arrow_commit(still[0].run, {**books, "days": facts})
        return Replacement({"ds": [day.run.ds for day in still]}, _stream(still), commit)

    replace_slice(
        uri,
        decide,
        partition_by=table.partition,
        configuration=table_properties.of_published_table(table, contract.features.entity),
    )


def _is_news(facts: dict[str, Any], theirs: dict[str, Any] | None) -> bool:
    """Whether the day differs from what was published meanwhile, and comes from features no older than that."""
    return _differs(facts, theirs) and (theirs is None or facts["features_version"] >= theirs["features_version"])


def _stream(days: Sequence[ValidatedDay]) -> pa.RecordBatchReader:
    """Stream the days' rows with Arrow, because `deltalake` cannot read while it writes."""
    first = days[0]
    periods = [as_stored(day.run.ds) for day in days]
    with delta_log.reading(first.run.path(layout.features(first.run.contract)), first.version) as table:
        assert table is not None
        rows = delta_log.dataset(table, {"ds": [*map(str, periods)]})
    return rows.scanner(filter=pc.field("ds").isin(periods)).to_reader()
