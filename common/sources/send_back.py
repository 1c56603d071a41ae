"""Sends records to a dataset's own source, where they arrive like any other: as a landing file, or as messages."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

from common.contracts.changes import changes_of
from common.contracts.contract import Contract
from common.contracts.declared_source import Files
from common.days import end_of
from common.errors import UsageError
from common.lake.storage.files import write_text
from common.runtime.run import Run
from common.sources.kafka.client import kafka_address
from common.sources.kafka.topic import Kafka

Record = Mapping[str, str | None]


def require_takes_records(contract: Contract) -> None:
    if fault := _fault(contract):
        raise UsageError(f"no record can be sent to the source of {contract.name}: {fault}")


def _fault(contract: Contract) -> str:
    source = contract.source
    if changes_of(contract):
        return "it sends changes; expected a source of records"
    if isinstance(source, Files):
        return (
            "a day that is complete takes no further file; declare Files() without complete" if source.complete else ""
        )
    if not isinstance(source, Kafka):
        return f"expected Files or Kafka, found {type(source).__name__}"
    beside = [name for name in source.beside if name != source.key_as]
    return f"{beside} are not part of a message's value; declare Kafka without them" if beside else ""


def send_back(run: Run, records: Sequence[Record]) -> str:
    """Where they were sent. The same records twice are one file, or equal messages, which count as copies."""
    require_takes_records(run.contract)
    columns = run.contract.columns
    named = [{column.source or column.name: record[column.name] for column in columns} for record in records]
    if isinstance(run.contract.source, Kafka):
        return _send_messages(run, run.contract.source, records, named)
    lines = "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in named)
    digest = hashlib.sha256(lines.encode()).hexdigest()[:16]
    folder = f"{run.settings.landing}/{run.contract.name}/ds={run.ds}"
    write_text(f"{folder}/scores-{digest}.jsonl", lines, hidden=True)
    return f"{folder}/scores-{digest}.jsonl"


def _send_messages(run: Run, source: Kafka, records: Sequence[Record], named: Sequence[Record]) -> str:
    """Messages of a period that is over get its last moment."""
    from common.sources.kafka.sender import send_messages

    key = [source.key_as] if source.key_as else run.contract.key
    messages = [
        (
            "/".join(str(record[name]) for name in key),
            json.dumps({name: value for name, value in fields.items() if name != source.key_as}, ensure_ascii=False),
        )
        for record, fields in zip(records, named, strict=True)
    ]
    at = min(datetime.now(UTC), end_of(run.ds) - timedelta(milliseconds=1))
    send_messages(run.spark, kafka_address(source.cluster), source.topic, messages, at)
    return f"{source.topic} of {source.cluster}"
