"""Our lineage beside that of Spark's own OpenLineage listener, of the same run; common/telemetry/README.md says what it shows."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from jobs.datasets.transactions import sample
from tests.support.openlineage_listener import Events, listening_to

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
ROOT = Path(__file__).resolve().parents[2]
DAY, NAME = "2026-01-05", "transactions"
MOST_ROWS = 30_000


def run_day(folder: Path, rows: int) -> tuple[Events, Events]:
    """The listener's events and ours."""
    words = ["--start", DAY, "--days", "1", "--rows", str(rows), "--seed", "3", "--out", str(folder / "landing")]
    sample.main(NAME, sample.COLUMNS, sample.generate, words)
    lake, heard = folder / "lake", folder / "events.jsonl"
    places = ["--lake", str(lake), "--landing", str(folder / "landing")]
    job = ["jobs/backfill.py", "--dataset", NAME, "--ds", DAY, *places]
    command = [str(ROOT / ".venv/bin/spark-submit"), *listening_to(heard), *job]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=280)
    assert done.returncode == 0, done.stderr[-3000:]
    return Events.of([heard], lake), Events.of(sorted((lake / "lineage").rglob("*.jsonl")), lake)


def test_ours_names_all_that_the_listener_does_and_more(tmp_path: Path) -> None:
    theirs, ours = run_day(tmp_path, MOST_ROWS)
    # Where both speak, they agree.
    assert theirs.tables("outputs") <= ours.tables("outputs")
    assert theirs.tables("inputs") <= ours.tables("inputs") | ours.tables("outputs")
    # What Spark itself writes has an output there; what deltalake writes has none, and no output has inputs, rows or columns.
    assert theirs.tables("outputs") == {f"raw/{NAME}", f"processed/{NAME}"}
    assert [event for event in theirs.found if event["outputs"] and event["inputs"]] == []
    assert (theirs.rows(), "columnLineage" in theirs.facets("outputs")) == ([], False)
    # All steps of the run are jobs of the first one, and what they read are single files.
    assert {job.partition(".")[0] for job in theirs.jobs} == {f"ingest_{NAME}"}
    assert len(theirs.files("inputs")) > 3
    written = {"raw", "quarantine", "processed", "superseded", "partials", "features", "published"}
    assert {table.partition("/")[0] for table in ours.tables("outputs")} == written
    assert ours.jobs >= {f"{NAME}.{step}" for step in ("ingest", "clean", "features", "publish", "validate-raw")}
    assert min(ours.rows()) > 0 and max(ours.rows()) > MOST_ROWS
    assert {"version", "schema", "columnLineage"} <= ours.facets("outputs")
    assert ours.files("inputs") == set()


def test_of_a_small_day_the_listener_sees_no_output(tmp_path: Path) -> None:
    theirs, ours = run_day(tmp_path, 200)
    assert theirs.tables("outputs") == set()
    assert len(ours.tables("outputs")) > 5
