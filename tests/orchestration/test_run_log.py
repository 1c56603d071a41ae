"""A damaged record of the run log is a lost one: status and console show the rest, without a trace."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from common.console import page
from common.orchestration import run_log
from common.orchestration.run_log import RunRecord
from common.reports import status

GOOD = {
    "line": {"counts": {"landed": 7}, "seconds": 1.5, "outcome": "done"},
    "at": "2026-01-06T00:00:00",
    "failure": None,
}
DAMAGED = {
    "numbers that are none": '{"line": {"counts": {"landed": NaN}, "seconds": 1}, "at": "2026-01-06T00:00:00"}',
    "texts for numbers": '{"line": {"counts": {"landed": "7"}, "seconds": "x"}, "at": "2026-01-06T00:00:00"}',
    "lists for objects": '{"line": [1], "at": 7, "failure": ["x"]}',
    "counts that are a list": '{"line": {"counts": [1], "written": 3, "warnings": ["x"]}, "at": "never"}',
    "nothing": '{"line": null, "at": null, "failure": null}',
    "a failure without words": '{"failure": {"message": null}}',
    "another value": "[1]",
    "brackets": "[" * 100_000,
    "half of it": '{"line": {"counts"',
    "bytes": "\x00\xff",
    "no bytes": "",
}


@pytest.fixture
def lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("lake", "landing"):
        monkeypatch.setenv(name.upper(), str(tmp_path / name))
    write(tmp_path / "lake", "2026-01-04.json", json.dumps(GOOD))
    return tmp_path / "lake"


def write(lake: Path, name: str, text: str) -> None:
    file = lake / "runs/churn/ingest" / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="latin-1")


def shown(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], lake: Path) -> str:
    """What status says of the lake; the console must be able to show it too."""
    monkeypatch.setattr(sys, "argv", ["console", f"--out={lake.parent}"])
    page.main()
    capsys.readouterr()
    monkeypatch.setattr(sys, "argv", ["status", "--dataset=churn"])
    status.main()
    return capsys.readouterr().out


@pytest.mark.parametrize("damage", DAMAGED)
def test_a_damaged_record_is_as_good_as_lost(
    lake: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], damage: str
) -> None:
    write(lake, "2026-01-05.json", DAMAGED[damage])
    records = run_log.records_of(str(lake), "churn")
    assert records["2026-01-05", "ingest"] in (RunRecord(), RunRecord(at="2026-01-06T00:00:00"))
    assert records["2026-01-04", "ingest"].line == GOOD["line"]
    assert "2026-01-04      7" in shown(monkeypatch, capsys, lake)


@pytest.mark.parametrize("name", ["\x1b[2J.json", "2026-02-30.json", "notes.json", "2026-01-05.json.tmp", "..json"])
def test_a_file_that_is_no_periods_is_passed_over(
    lake: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    write(lake, name, json.dumps(GOOD))
    assert [str(day) for day in run_log.days_run(str(lake), "churn", "ingest")] == ["2026-01-04"]
    assert len(shown(monkeypatch, capsys, lake).splitlines()) == 4
