"""`features plan --trial`, as a person runs it: real processes, one of them killed half-way."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from common.reader.shapes import schema_of
from tests.conftest import ROOT
from tests.model.world import CONTRACT, write_sales
from tests.support.datasets import spoil
from tests.support.play_lake import PlayLake

DAYS = ("2026-01-05", "2026-01-06")


def features(lake: PlayLake, *words: str) -> subprocess.Popen[str]:
    places = {"LAKE": lake.lake_folder, "LANDING": lake.landing, "DATASETS": lake.root / "datasets"}
    return subprocess.Popen(
        [ROOT / ".venv/bin/features", "plan", "--dataset", "sales", *words],
        cwd=ROOT,
        env={**os.environ, **{name: str(place) for name, place in places.items()}, "COLUMNS": "120"},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )


def printed(lake: PlayLake, *words: str) -> str:
    process = features(lake, *words)
    output, _ = process.communicate(timeout=300)
    assert process.returncode == 0, output
    return output


def files(folder: Path) -> dict[str, tuple[bytes, int]]:
    found = (path for path in folder.rglob("*") if path.is_file() and not {".trials", "locks"} & {*path.parts})
    return {str(path): (path.read_bytes(), path.stat().st_mtime_ns) for path in found}


def kill_half_way(lake: PlayLake) -> None:
    """Once the first step of the trial has left its record."""
    process = features(lake, "--trial", "idea")
    deadline = time.monotonic() + 120
    while not [*lake.lake_folder.glob(".trials/idea/runs/**/*.json")]:
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


@pytest.mark.slow
def test_a_trial_killed_half_way_shows_all_when_run_again(tmp_path: Path) -> None:
    lake = PlayLake(tmp_path, "sales")
    write_sales(tmp_path / "datasets", CONTRACT)
    for number, ds in enumerate(DAYS):
        lake.land_bytes(ds, f"key,user,amount,time\nk{number},1,{5 + number},{ds}T10:00:00Z\n".encode())
    printed(lake, "--apply", "--yes")
    before = files(lake.lake_folder)
    spoil(tmp_path / "datasets/sales/contract.py", "Sum(3,", "Sum(1,")
    kill_half_way(lake)
    found: dict[str, Any] = json.loads(printed(lake, "--trial", "idea", "--json"))
    assert [*Draft202012Validator(schema_of("plan")).iter_errors(found)] == []
    [sales] = found["datasets"]
    assert (sales["days"], sales["columns"], sales["changed"]) == ([*DAYS], {"sum_3d": 1}, 1)
    change = {"ds": DAYS[1], "entity": 1, "column": "sum_3d", "before": "11", "after": "6", "size": 5.0}
    assert sales["largest"] == [change]
    assert sales["spread"]["sum_3d"]["published"]["mean"] == 8.0
    assert sales["spread"]["sum_3d"]["tried"]["mean"] == 5.5
    assert files(lake.lake_folder) == before, "nothing of the lake is touched"
    shown = printed(lake, "--trial", "idea", "--ds", DAYS[1])
    assert "sales: 1 row changed, 0 added, 0 removed; 1 row on 2026-01-06 of sales@v1 as tried" in shown
    assert printed(lake, "--trial", "idea", "--drop").startswith("removed trial idea")
    assert files(lake.lake_folder) == before
