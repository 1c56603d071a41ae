"""What a message quotes from data is shown as text by the status."""

from rich.console import Console

from common.orchestration.run_log import RunRecord
from common.reports.status import DayStatus, status_parts


def test_a_failure_is_shown_without_running_it() -> None:
    failed = RunRecord(failure={"message": "z\x1b[2J\n[red]x[/red]"})
    console = Console(width=200)
    with console.capture() as shown:
        console.print(*status_parts([DayStatus("2026-01-05", {"ingest": failed})], details=False, width=200))
    assert r"ingest: z\x1b[2J [red]x[/red]" in shown.get()
