"""A Delta log that says nothing but who committed, as long as a test wants it."""

from __future__ import annotations

import json
from pathlib import Path


def write_log(table: Path, versions: range, checkpoint: int | None = None, said: str = "") -> Path:
    log = table / "_delta_log"
    log.mkdir(parents=True, exist_ok=True)
    for version in versions:
        info = {"timestamp": version, "userMetadata": json.dumps({"job": "ingest", "ds": "2026-01-05", "said": said})}
        (log / f"{version:020}.json").write_text(json.dumps({"commitInfo": info}) + "\n")
    if checkpoint is not None:
        (log / f"{checkpoint:020}.checkpoint.parquet").write_text("x")
        (log / "_last_checkpoint").write_text(json.dumps({"version": checkpoint, "size": 1}))
    return log
