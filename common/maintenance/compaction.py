"""When a partition is packed, and what that changed. Small files are a small matter: one process does it, without Spark."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

from deltalake import DeltaTable

from common.contracts import layout
from common.contracts.layout import Table
from common.days import day_range
from common.lake import delta_log
from common.lake.commit_metadata import arrow_commit
from common.lake.delta_log import DataFile
from common.lake.locks import committing
from common.runtime.run import Outcome, Run

# Late rows bring small files to a partition day by day: it is packed once they have all come, or when it has many.
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
    """The partitions that the run of ds may have added files to, where packing pays."""
    contract = run.contract
    by_arrival = [
        layout.raw(contract),
        layout.quarantine(contract),
        layout.partials(contract),
        layout.features(contract),
    ]
    found = [crowd for table in by_arrival for crowd in _crowds(run, table, {"ds": [str(run.ds)]}, settled=[run.ds])]
    dates = day_range(run.ds, contract.lateness_days)
    where = {"event_date": [str(day) for day in dates]}
    for table in (layout.processed(contract), layout.superseded(contract)):
        found += _crowds(run, table, where, settled=[dates[0]])
    return found


def _crowds(run: Run, table: Table, where: dict[str, list[str]], settled: list[date]) -> list[CrowdedPartition]:
    groups: dict[tuple[tuple[str, str], ...], list[DataFile]] = {}
    for file in delta_log.files(run.path(table), **where):
        groups.setdefault(tuple(file.partition.items()), []).append(file)
    crowds = [CrowdedPartition(table, dict(partition), files) for partition, files in groups.items()]
    return [crowd for crowd in crowds if _pays(crowd, _large_bytes(run), settled)]


def _large_bytes(run: Run) -> int:
    """A file of that size is left as it is."""
    return run.settings.large_file_mb << 20


def _pays(crowd: CrowdedPartition, large_bytes: int, settled: list[date]) -> bool:
    small = [file for file in crowd.files if file.bytes < large_bytes]
    final = next(iter(crowd.partition.values())) in [str(day) for day in settled]
    return len(small) > (1 if final else MANY)


def pack(run: Run, crowd: CrowdedPartition) -> dict[str, Any]:
    """The small files of one partition, put together; the rows stay what they are."""
    uri = run.path(crowd.table)
    chosen = [(name, "=", value) for name, value in crowd.partition.items()]
    with committing(run.settings.lake, crowd.table.path):
        DeltaTable(uri).optimize.compact(chosen, target_size=_large_bytes(run), commit_properties=arrow_commit(run))
    after = [
        file
        for file in delta_log.files(uri, **{name: [value] for name, value in crowd.partition.items()})
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
    # Two files that together are more than one large file stay two.
    packed = [each for each in packed if each["files"][1] < each["files"][0]]
    counts = {
        "partitions": len(packed),
        "files_before": sum(each["files"][0] for each in packed),
        "files_after": sum(each["files"][1] for each in packed),
    }
    written = {each["table"]: each["version"] for each in packed}
    return Outcome("done" if packed else "nothing", counts, written, facts={"packed": packed})
