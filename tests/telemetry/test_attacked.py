"""Receivers that die in mid-run, and a disk that is full: a run ends as it would have, and says what is missing."""

from __future__ import annotations

import errno
import json
import logging
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from common.runtime.log_lines import append_line
from common.runtime.run import Outcome, Run
from common.runtime.settings import Telemetry
from common.telemetry import metric_files, receivers
from common.telemetry.receivers import FLUSH_SECONDS
from tests.support.receivers import listening, silent, web
from tests.support.tiny_disk import tiny_disk
from tests.support.told import Told, done

DAY, NEXT, LAST = "2026-01-05", "2026-01-06", "2026-01-07"
SCHEDULING = 0.15  # what two busy cores may add to a wait


@pytest.fixture(autouse=True)
def heard_warnings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logging.getLogger("pipeline"), "propagate", True)


def rows_told(file: Path) -> list[float]:
    return [each.value for each in metric_files.parse(file.read_text()) if each.name == "pipeline_rows"]


def fill(disk: Path) -> Path:
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file, pytest.raises(OSError, match="No space left") as full:
        while True:
            file.write(b"x" * 512)
    assert full.value.errno == errno.ENOSPC
    return filler


def test_a_full_disk_keeps_the_last_metrics_and_no_scraps(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with tiny_disk(tmp_path / "disk", "64k") as disk:
        told = Told(tmp_path, telemetry=Telemetry(metrics=str(disk)))
        told.run("ingest", DAY, done(landed=1000))
        file = disk / "transactions.ingest.prom"
        assert rows_told(file) == [1000]
        filler, before = fill(disk), sorted(disk.iterdir())
        line = told.run("ingest", NEXT, done(landed=500))
        assert line and line["outcome"] == "done"
        assert "the run's metrics or lineage could not be kept: OSError" in caplog.text
        assert "No space left" in caplog.text
        assert sorted(disk.iterdir()) == before
        assert rows_told(file) == [1000]
        filler.unlink()
        told.run("ingest", LAST, done(landed=700))
        assert rows_told(file) == [700]


def test_an_event_that_a_full_disk_cut_short_spoils_no_other(tmp_path: Path) -> None:
    with tiny_disk(tmp_path / "disk", "64k") as disk:
        file, filler, event = disk / "events.jsonl", fill(disk), json.dumps({"text": "x" * 1500})
        filler.write_bytes(filler.read_bytes()[:-6000])
        with pytest.raises(OSError, match="No space left"):
            for _ in range(100):
                append_line(file, event)
        filler.unlink()
        append_line(file, event)
        *_, cut, last = file.read_text().splitlines()
    assert last == event
    assert event.startswith(cut) and 0 < len(cut) < len(event)


def test_a_lineage_receiver_that_dies_in_mid_run_is_counted(tmp_path: Path) -> None:
    with ExitStack() as receiver:
        found = receiver.enter_context(web())

        def main(run: Run) -> Outcome:
            deadline = time.monotonic() + 20
            while not found.heard:
                assert time.monotonic() < deadline
                time.sleep(0.01)
            receiver.close()
            return Outcome("done", {"landed": 7})

        told = Told(tmp_path, telemetry=Telemetry(openlineage=f"http://127.0.0.1:{found.port}"))
        assert told.run("ingest", DAY, main)
        began = time.monotonic()
        assert receivers.flush() == {"openlineage": 1}
        assert time.monotonic() - began < FLUSH_SECONDS + SCHEDULING
    assert [event["eventType"] for event in told.events("ingest", DAY)] == ["START", "COMPLETE"]


def test_years_of_runs_do_not_wait_for_silent_receivers(tmp_path: Path) -> None:
    with listening(silent) as port:
        url = f"http://127.0.0.1:{port}"
        runs, seconds = 60, {}
        for name, telemetry in {
            "without": Telemetry(),
            "with": Telemetry(pushgateway=url, otlp=url, openlineage=url),
        }.items():
            told = Told(tmp_path / name, telemetry=telemetry)
            began = time.monotonic()
            for _ in range(runs):
                assert told.run("ingest", DAY, done(landed=7))
            seconds[name] = time.monotonic() - began
        began = time.monotonic()
        lost = receivers.flush()
        assert time.monotonic() - began < FLUSH_SECONDS + SCHEDULING
    assert lost["openlineage"] == 2 * runs
    assert seconds["with"] < 2 * seconds["without"] + FLUSH_SECONDS
