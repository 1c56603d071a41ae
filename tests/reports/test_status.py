"""What ran on each day, at the width of the terminal."""

import os
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from common.lake.storage.files import write_json
from common.orchestration.cli import run_chain_job
from common.orchestration.job import ChainStep, Job
from common.reports import status
from common.runtime.run import Outcome

DAY = "2026-01-05"
COUNTS = {
    "ingest": {"landed": 1_234_567, "accepted": 1_234_500, "quarantined": 67},
    "clean": {"rows_in": 1_234_500, "accepted": 1_200_000, "late": 34_000, "duplicates": 400, "quarantined": 100},
    "features": {"features": 98_765},
    "publish": {"published": 1, "rows": 98_765},
}
MESSAGE = "the rule age between 0 and 120 found 64 of 1,100 rows, such as 200, in part-0003.csv; land it again or quarantine it"


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    for number, (job, counts) in enumerate(COUNTS.items()):
        line = {"job": job, "counts": counts, "seconds": 123.4, "written": {f"{job}/visits": number + 100}}
        write_json(f"{tmp_path}/runs/visits/{job}/{DAY}.json", {"line": line})
    write_json(f"{tmp_path}/runs/visits/ingest/2026-01-06.json", {"failure": {"message": MESSAGE}})
    return tmp_path


def seen(lake: Path, width: int) -> list[str]:
    console = Console(width=width, file=(shown := StringIO()))
    for part in status.status_parts(status.day_statuses(str(lake), "visits"), True, width):
        console.print(part)
    return [line.rstrip() for line in shown.getvalue().splitlines()]


@pytest.mark.parametrize("width", [80, 100, 150])
def test_dates_counts_and_failures_are_never_cut(lake: Path, width: int) -> None:
    lines = seen(lake, width)
    assert max(map(len, lines)) <= width
    assert [line[:10] for line in lines if line.startswith("2026")] == [DAY, "2026-01-06", "2026-01-06"]
    assert lines[1].split()[:4] == [DAY, "1,234,567", "1,234,000", "167"]
    assert "…" not in "".join(lines)
    said = [line.removeprefix("2026-01-06").strip() for line in lines[lines.index("ds         last failure") + 1 :]]
    assert " ".join(said) == f"ingest: {MESSAGE}"


def test_what_has_no_room_is_named(lake: Path) -> None:
    assert "versions, seconds" in " ".join(seen(lake, 80))
    assert "A wider terminal" not in " ".join(seen(lake, 150))
    assert "publish@103" in " ".join(seen(lake, 150))


def test_a_step_that_only_failed_counted_nothing(lake: Path) -> None:
    assert status.day_statuses(str(lake), "visits")[1].count("landed") is None


def test_a_closed_day_is_shown_as_closed(lake: Path) -> None:
    line = {"job": "ingest", "outcome": "closed", "counts": {}, "seconds": 0.1}
    write_json(f"{lake}/runs/visits/ingest/2026-01-10.json", {"line": line})
    (shown,) = [line for line in seen(lake, 100) if line.startswith("2026-01-10")]
    assert shown.split()[:3] == ["2026-01-10", "closed", "-"]


def test_progress_and_status_mean_the_same(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def job(name: str) -> ChainStep:
        return ChainStep(Job(name, lambda run: Outcome("done", COUNTS[name])))

    with pytest.raises(SystemExit):
        run_chain_job([*map(job, COUNTS)], ["--dataset", "churn", "--ds", DAY, "--lake", str(tmp_path)])
    (day,) = status.day_statuses(str(tmp_path), "churn")
    shown = {name: f"{name}={day.count(name):,}" for name in ("landed", "accepted", "quarantined", "features")}
    assert " ".join(shown.values()) in capsys.readouterr().err
    landed, *rest = (day.count(name) or 0 for name in ("landed", "accepted", "quarantined", "duplicates"))
    assert landed == sum(rest)


def test_a_day_whose_files_came_after_it_was_read_is_named(tmp_path: Path) -> None:
    ingested = {"line": {"job": "ingest"}, "at": "2026-01-06T02:00:00.000+00:00", "failure": None}
    for ds, hour in (("2026-01-05", 1), ("2026-01-06", 3)):
        write_json(f"{tmp_path}/lake/runs/transactions/ingest/{ds}.json", ingested)
        landed = tmp_path / "landing" / "transactions" / f"ds={ds}" / "part.csv"
        landed.parent.mkdir(parents=True)
        landed.touch()
        sent = datetime(2026, 1, 6, hour, tzinfo=UTC).timestamp()
        os.utime(landed, (sent, sent))
    days = status.day_statuses(str(tmp_path / "lake"), "transactions")
    assert status.changed_since(str(tmp_path / "landing"), "transactions", days) == ["2026-01-06"]
