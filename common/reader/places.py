"""Locate the lake and the online store: from conf/ in the project's folder, elsewhere from flags and the environment."""

from __future__ import annotations

import os
from pathlib import Path

from common.errors import UsageError
from common.runtime.locations import resolve
from common.runtime.settings import ROOT, environments, load_settings


def lake_uri(flag: str | None) -> str:
    """Return --lake, else LAKE, else what conf/ names. An installed reader has no conf/ and starts from the current folder."""
    if environments():
        return load_settings("local", lake=flag).lake
    uri = flag or os.environ.get("LAKE")
    if not uri:
        raise UsageError(
            "no lake is named, and an installed reader has no conf/ with a default; pass --lake PATH or set LAKE"
        )
    return resolve("--lake or LAKE", uri, Path.cwd())


def spark_submit() -> str:
    """The program that starts a job; raises where Spark is not installed."""
    program = ROOT / ".venv/bin/spark-submit"
    if not program.exists():
        raise UsageError(
            f"this command needs Spark, and {program} does not exist; run it from the project's folder after `make setup`"
        )
    return str(program)


def online_uri() -> str:
    if environments():
        return load_settings("local").online
    uri = os.environ.get("ONLINE")
    if not uri:
        raise UsageError("no online store is named, and an installed reader has no conf/ with a default; set ONLINE")
    return uri
