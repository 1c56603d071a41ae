"""What Spark read, and how much memory its JVM took."""

from __future__ import annotations

from threading import Barrier, Thread

from common.orchestration.job import Job
from common.runtime.run import Outcome, Run
from common.telemetry import metric_files
from jobs.clean import CLEAN
from tests.support.play_lake import PlayLake

DAY, NEXT = "2026-01-05", "2026-01-06"
ROWS = """
transaction_id | user_id | purchase_amount | timestamp            | category | payment_method
t1             | 1       | 9.50            | 2026-01-05T10:00:00Z | food     | card
"""


def value(lake: PlayLake, name: str, step: str, **labels: str) -> float | None:
    text = (lake.lake_folder / "metrics" / f"{lake.dataset}.{step}.prom").read_text()
    found = [
        each for each in metric_files.parse(text) if each.name == name and labels.items() <= dict(each.labels).items()
    ]
    return found[0].value if found else None


def reading(lake: PlayLake, both: Barrier | None) -> Job:
    """Reads the day's raw rows, while both are at work."""

    def main(run: Run) -> Outcome:
        if both:
            both.wait(30)
        run.spark.read.format("delta").load(f"{run.settings.lake}/raw/{run.contract.name}").collect()
        if both:
            both.wait(30)
        return Outcome("done")

    return Job("compact", main)


def test_a_run_says_what_spark_read_and_the_jvm_took(lake: PlayLake) -> None:
    lake.land(DAY, ROWS)
    lake.ingest(DAY)
    lake.run(CLEAN, DAY)
    assert (value(lake, "pipeline_read_bytes", "clean") or 0) > 100
    assert (value(lake, "pipeline_peak_memory_bytes", "clean", process="jvm") or 0) > 100_000_000
    assert (value(lake, "pipeline_commit_files", "clean", change="added") or 0) >= 1


def test_runs_side_by_side_do_not_claim_each_others_bytes(lake: PlayLake) -> None:
    lake.land(DAY, ROWS)
    lake.ingest(DAY)
    lake.run(reading(lake, None), DAY)
    assert value(lake, "pipeline_read_bytes", "compact")
    both = Barrier(2)
    threads = [Thread(target=lake.run, args=(reading(lake, both), ds)) for ds in (DAY, NEXT)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert value(lake, "pipeline_run_seconds", "compact")
    assert value(lake, "pipeline_read_bytes", "compact") is None
