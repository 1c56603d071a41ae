"""`features plan --apply` runs what it has shown, by a real backfill."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.support.play_lake import PlayLake


def features(lake: PlayLake, *words: str) -> subprocess.CompletedProcess[str]:
    places = {"LAKE": str(lake.lake_folder), "LANDING": str(lake.landing), "COLUMNS": "80"}
    command = [ROOT / ".venv/bin/features", "plan", "--dataset", "transactions", *words]
    return subprocess.run(
        command, cwd=ROOT, env={**os.environ, **places}, capture_output=True, text=True, check=False, timeout=300
    )


@pytest.mark.slow
def test_what_is_planned_is_applied_and_then_nothing_is_left(tmp_path: Path) -> None:
    lake = PlayLake(tmp_path)
    for ds in ("2026-01-04", "2026-01-05", "2026-01-07"):
        lake.land(ds, f"transaction_id\nof {ds}")
    done = features(lake, "--apply", "--yes")
    assert done.returncode == 0, done.stderr
    assert "To run: 21 steps on 3 days" in done.stdout
    assert done.stdout.splitlines()[-2:] == [
        "transactions 2026-01-04..2026-01-05: done",
        "transactions 2026-01-07: done",
    ]
    assert features(lake).stdout.splitlines() == ["transactions: up to date (3 days)"]
    planned = json.loads(features(lake, "--json").stdout)
    assert planned["now"] == {"days": 0, "steps": 0, "seconds": 0.0, "bytes": 0, "unknown": 0}
