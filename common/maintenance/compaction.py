"""Find partitions with many small files and compact them. One process is enough for small files. No Spark."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

from common.contracts import layout
from common.contracts.changes import event_dates
from common.contracts.layout import Table
from common.lake.log import data_files, delta_log
from common.lake.log.commit_metadata import after_commit, arrow_commit
from common.lake.log.data_files import DataFile
from common.lake.storage.locks import committing
from common.runtime.run import Outcome, Run

# Late rows add small files every day: compact once no more can arrive, or when there are many.
MANY = 8


@dataclass(frozen=True)
class CrowdedPartition:
    """A partition with more files than it needs."""

    table: Table
    partition: dict[str, str]
    files: list[DataFile]

    @property
    def bytes(self) -> int:
        return sum(file.bytes for file in self.files)

    @property
    def name(self) -> str:
        return f"{self.table.path}/{'/'.join(f'{name}={value}' for name, value in self.partition.items())}"


def crowded(run: Run) -> list[CrowdedPartition]:
    """The partitions to which the run of ds may have added files, and that are worth compacting."""
    contract = run.contract
    by_arrival = [
        layout.raw(contract),
        layout.quarantine(contract),
        layout.partials(contract),
        layout.features(contract),
    ]
    partitions = [
        crowd for table in by_arrival for crowd in _crowds(run, table, {"ds": [str(run.ds)]}, settled=[run.ds])
    ]
    dates = event_dates(contract, run.ds, contract.lateness)
    where = {"event_date": [str(day) for day in dates]}
    for table in layout.row_versions(contract):
        partitions += _crowds(run, table, where, settled=[dates[0]])
    return partitions


def _crowds(run: Run, table: Table, where: dict[str, list[str]], settled: list[date]) -> list[CrowdedPartition]:
    groups: dict[tuple[tuple[str, str], ...], list[DataFile]] = {}
    for file in data_files.files(run.path(table), **where):
        groups.setdefault(tuple(file.partition.items()), []).append(file)
    crowds = [CrowdedPartition(table, dict(partition), files) for partition, files in groups.items()]
    return [crowd for crowd in crowds if _pays(crowd, _large_bytes(run), settled)]


def _large_bytes(run: Run) -> int:
    """Files of this size or larger are not compacted."""
    return run.settings.large_file_mb << 20


def _pays(crowd: CrowdedPartition, large_bytes: int, settled: list[date]) -> bool:
    small = [file for file in crowd.files if file.bytes < large_bytes]
    final = next(iter(crowd.partition.values())) in [str(day) for day in settled]
    return len(small) > (1 if final else MANY)


def pack(run: Run, crowd: CrowdedPartition) -> dict[str, Any]:
    """Compact the small files of one partition; the rows do not change."""
    uri = run.path(crowd.table)
    chosen = [(name, "=", value) for name, value in crowd.partition.items()]
    with committing(run.settings.lake, crowd.table.path), delta_log.reading(uri) as stored:
        assert stored is not None
        stored.optimize.compact(
            chosen,
            target_size=_large_bytes(run),
            commit_properties=arrow_commit(run),
            post_commithook_properties=after_commit(stored),
        )
    after = [
        file
        for file in data_files.files(uri, **{name: [value] for name, value in crowd.partition.items()})
        if file.partition == crowd.partition
    ]
    line = {
        "partition": crowd.name,
        "files": [len(crowd.files), len(after)],
        "bytes": [crowd.bytes, sum(file.bytes for file in after)],
    }
    run.log.info("%s: files %d -> %d, bytes %s -> %s", crowd.name, *line["files"], *(f"{b:,}" for b in line["bytes"]))
    return {**line, "table": crowd.table.path, "version": delta_log.version(uri)}


def outcome(packed: list[dict[str, Any]]) -> Outcome:
    # Files that would exceed the target size together stay apart, which saves nothing.
    packed = [entry for entry in packed if entry["files"][1] < entry["files"][0]]
    counts = {
        "partitions": len(packed),
        "files_before": sum(entry["files"][0] for entry in packed),
        "files_after": sum(entry["files"][1] for entry in packed),
    }
    written = {entry["table"]: entry["version"] for entry in packed}
    return Outcome("done" if packed else "nothing", counts, written, facts={"packed": packed})
