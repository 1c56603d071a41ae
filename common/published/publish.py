"""Makes validated feature rows the published ones, all days of a range in one commit, and says what made each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable, write_deltalake
from pyarrow import fs

from common.contracts import layout
from common.contracts.layout import Table
from common.errors import ContractViolationError, SourceMissingError
from common.features import definition
from common.features.definition import Definition
from common.lake import content_hash, delta_log, table_properties
from common.lake.commit_metadata import arrow_commit
from common.lake.delta_log import Commit
from common.lake.files import locate
from common.lake.locks import committing
from common.lake.small_tables import read_slice
from common.orchestration import run_log, staleness
from common.orchestration.job import Watch, changed_since
from common.orchestration.run_log import RunRecord
from common.runtime.run import Outcome, Run
from common.runtime.submit_command import spark_submit


@dataclass(frozen=True)
class ValidatedDay:
    """A day of validated feature rows, at the version that was validated."""

    run: Run
    version: int
    made: Commit
    verdict: dict[str, Any]

    @property
    def rows(self) -> pa.Table:
        return read_slice(
            self.run.path(layout.features(self.run.contract)), {"ds": [self.run.ds]}, version=self.version
        )

    @property
    def facts(self) -> dict[str, Any]:
        """Which run made the rows, from what, and what the gate said of them."""
        rows = self.rows
        return {
            "rows": rows.num_rows,
            "hash": content_hash.hash_rows(rows, layout.features(self.run.contract).identity),
            "features_version": self.version,
            **{
                name: self.made.books.get(name)
                for name in ("run_id", "code", "revision", "lock", "sources", "counts", "definition")
            },
            "validation": self.verdict,
        }


def publish(days: Sequence[Run]) -> Outcome:
    """One step for all the days: a reader sees all of them, or none."""
    run, *_ = days
    meaning = definition.define(run.dataset)
    # All days from one version of the table: it is the one that is validated, and the one that is read.
    version = delta_log.version(run.path(layout.features(run.contract)))
    ready = [_ready(day, version, meaning) for day in days]
    table, uri = layout.published(run.contract), run.path(layout.published(run.contract))
    with committing(run.settings.lake, table.path):
        facts = {str(each.run.ds): each.facts for each in ready}
        # A new day is in no commit, so that the log, which only grows, need not be read for it.
        seen = delta_log.files(uri, ds=list(facts)) or not all(each["rows"] for each in facts.values())
        before = facts_by_day(uri) if seen else {}
        changed = [each for each in ready if _differs(facts[str(each.run.ds)], before.get(str(each.run.ds)))]
        counts = {"published": len(changed), "rows": sum(each["rows"] for each in facts.values())}
        if not changed:
            return Outcome("nothing", counts)
        books = {
            **meaning.facts,
            "ds": _range(days),
            "days": {str(each.run.ds): facts[str(each.run.ds)] for each in changed},
        }
        _write(uri, changed, books)
    return Outcome("done", counts, {table.path: delta_log.version(uri)})


def facts_by_day(uri: str) -> dict[str, dict[str, Any]]:
    """What the newest publication of each day says of it."""
    found: dict[str, dict[str, Any]] = {}
    for commit in delta_log.commits(uri):
        for day, facts in commit.books.get("days", {}).items():
            found.setdefault(day, facts)
    return found


def _ready(run: Run, version: int, meaning: Definition) -> ValidatedDay:
    """The day's rows, if the gate has passed them as they are now."""
    staleness.require_made(run, "features")
    table, said = layout.features(run.contract), f"features of {run.contract.name} {run.ds}"
    again = spark_submit("validate", run.contract.name, run.ds, table="features")
    record = run_log.load_other(run, "validate-features", run.ds)
    if record.failure:
        raise ContractViolationError(
            f"{said} failed their validation ({record.failure.get('message', '')}); nothing was published, and readers keep "
            f"what they have. Mend the cause, run the day again, then: {again}",
            record.failure.get("failures"),
        )
    if not record.line or _rewritten(run, table, record):
        raise SourceMissingError(f"{said} have not been validated since they were last written; run: {again}")
    made = delta_log.newest_commit(run.path(table), "features", str(run.ds))
    if made is None:
        raise SourceMissingError(
            f"no commit of {table.path} says that features made {said}; run: "
            f"{spark_submit('features', run.contract.name, run.ds, full_refresh=True)}"
        )
    if made.books.get("definition", meaning.fingerprint) != meaning.fingerprint:
        raise definition.DefinitionChangedError(
            f"{said} were made by another definition than the one declared now; run features again"
        )
    verdict = {
        **record.line["counts"],
        "run_id": record.run_id,
        "warned": [each["expectation"] for each in record.line.get("warnings", [])],
    }
    return ValidatedDay(run, version, made, verdict)


def _rewritten(run: Run, table: Table, validated: RunRecord) -> bool:
    watch = Watch(table, lambda day: day == run.ds)
    return changed_since(run, watch, validated.depends.get(table.path), validated.run_id)


def _differs(facts: dict[str, Any], before: dict[str, Any] | None) -> bool:
    return before is None or any(facts[name] != before.get(name) for name in ("hash", "rows", "definition"))


def _range(days: Sequence[Run]) -> str:
    first, last = str(days[0].ds), str(days[-1].ds)
    return first if first == last else f"{first}..{last}"


def _write(uri: str, days: Sequence[ValidatedDay], books: dict[str, Any]) -> None:
    contract = days[0].run.contract
    table = layout.published(contract)
    there = delta_log.exists(uri)
    # Dates only, never anything that a user or the data says.
    chosen = f"ds IN ({', '.join(repr(str(each.run.ds)) for each in days)})"
    write_deltalake(
        uri,
        _stream(days),
        mode="overwrite",
        predicate=chosen if there else None,
        partition_by=list(table.partition),
        configuration=table_properties.of_published_table(table, contract.features.entity),
        commit_properties=arrow_commit(days[0].run, books),
    )


def _stream(days: Sequence[ValidatedDay]) -> pa.RecordBatchReader:
    """The days' rows as they pass by. Arrow reads the files itself: `deltalake` can't read while it writes."""
    first = days[0]
    system, path = locate(first.run.path(layout.features(first.run.contract)))
    made = DeltaTable(first.run.path(layout.features(first.run.contract)), version=first.version)
    dataset = made.to_pyarrow_dataset(filesystem=fs.SubTreeFileSystem(path, system))
    return dataset.scanner(filter=pc.field("ds").isin([each.run.ds for each in days])).to_reader()
