"""Writes dashboard.json, which Grafana shows: `.venv/bin/python conf/monitoring/dashboard.py`."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from pathlib import Path

from grafana_foundation_sdk.builders import dashboard, prometheus, stat, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import DataSourceRef, Threshold, ThresholdsMode

FILE = Path(__file__).with_name("dashboard.json")
SOURCE = DataSourceRef(type_val="prometheus", uid="${source}")
# Grafana's grid has 24 columns.
WIDTH, HEIGHT = 8, 8


@dataclass(frozen=True)
class Curve:
    """`legend` is a pattern of labels, such as {{step}}."""

    title: str
    query: str
    legend: str
    unit: str = "short"
    about: str = ""


@dataclass(frozen=True)
class Number:
    """One number for each dataset; red from `limit` on."""

    title: str
    query: str
    limit: float
    unit: str = "short"


def of(name: str, **labels: str) -> str:
    """A metric of the datasets that are chosen."""
    chosen = ", ".join(['dataset=~"$dataset"', *(f'{label}="{value}"' for label, value in labels.items())])
    return f"{name}{{{chosen}}}"


def share(kind: str) -> str:
    rows = of("pipeline_rows", step="clean", kind=kind)
    return f"{rows} / on (dataset) {of('pipeline_rows', step='clean', kind='in')}"


NUMBERS = (
    Number(
        "Newest published day ended",
        f"time() - max by (dataset) ({of('pipeline_newest_day_end_timestamp_seconds', step='publish')})",
        30 * 3600,
        "s",
    ),
    Number("Days that failed", f"sum by (dataset) ({of('pipeline_failed_day')}) or vector(0)", 1),
    Number("Days out of date", f"sum by (dataset) ({of('pipeline_stale_day')}) or vector(0)", 1),
)
CURVES = {
    "Rows of the newest day": (
        Curve("Rows in", of("pipeline_rows", kind="in"), "{{dataset}} {{step}}"),
        Curve("Rows out", of("pipeline_rows", kind="out"), "{{dataset}} {{step}}"),
        Curve("Duplicates", of("pipeline_rows", kind="duplicates"), "{{dataset}} {{step}}"),
        Curve("Refused", share("refused"), "{{dataset}}", "percentunit", "Share of the day's rows that clean refused"),
        Curve("Late", share("late"), "{{dataset}}", "percentunit", "Share of the day's rows that are of earlier dates"),
        Curve("Rules of the gate", of("pipeline_rules"), "{{dataset}} {{step}} {{result}}"),
    ),
    "Cost of the last run": (
        Curve("Time", of("pipeline_run_seconds"), "{{dataset}} {{step}}", "s"),
        Curve("Peak memory", of("pipeline_peak_memory_bytes"), "{{dataset}} {{step}} {{process}}", "bytes"),
        Curve("Read", of("pipeline_read_bytes"), "{{dataset}} {{step}}", "bytes", "What Spark read"),
        Curve("Written", of("pipeline_commit_bytes"), "{{dataset}} {{step}} {{change}}", "bytes"),
        Curve("Files", of("pipeline_commit_files"), "{{dataset}} {{step}} {{change}}"),
        Curve(
            "Since the last success",
            f"time() - {of('pipeline_last_success_timestamp_seconds')}",
            "{{dataset}} {{step}}",
            "s",
        ),
    ),
    "Upkeep": (
        Curve("Damaged pins", of("pipeline_damaged_pins"), "{{dataset}}"),
        Curve(
            "Since the last run", f"time() - {of('pipeline_last_run_timestamp_seconds')}", "{{dataset}} {{step}}", "s"
        ),
        Curve(
            "Since a run looked for stale days",
            f"time() - {of('pipeline_stale_checked_timestamp_seconds')}",
            "{{dataset}}",
            "s",
        ),
    ),
    # Airflow's own, by the names that Prometheus makes of them.
    "Airflow": (
        Curve("Tasks running", "sum(airflow_executor_running_tasks)", "running"),
        Curve("Tasks queued", "sum(airflow_executor_queued_tasks)", "queued"),
        Curve("Tasks that wait for a table", "max by (pool_name) (airflow_pool_scheduled_slots)", "{{pool_name}}"),
        Curve("Waits for landing days and others", "sum(airflow_triggers_running)", "waiting"),
        Curve(
            "Scheduler's heartbeats",
            "sum(rate(airflow_scheduler_heartbeat_total[5m]))",
            "a second",
            about="Nothing is started while there are none",
        ),
        Curve("DAG files that can't be read", "max(airflow_dag_processing_import_errors)", "files"),
    ),
}


def build() -> str:
    """The dashboard as JSON."""
    board = (
        dashboard.Dashboard("Feature pipeline")
        .uid("feature-pipeline")
        .description("What the runs of the pipeline's steps did; see conf/monitoring/README.md.")
        .tags(["feature-pipeline"])
        .timezone("utc")
        .time("now-14d", "now")
        .refresh("1m")
        .readonly()
        .with_variable(dashboard.DatasourceVariable("source").type("prometheus").label("Prometheus"))
        .with_variable(
            dashboard.QueryVariable("dataset")
            .label("Dataset")
            .datasource(SOURCE)
            .query("label_values(pipeline_last_run_timestamp_seconds, dataset)")
            .multi(True)
            .include_all(True)
        )
    )
    ids = itertools.count(1)
    board.with_row(dashboard.Row("Now").id(next(ids)))
    for number in NUMBERS:
        board.with_panel(_number(number).id(next(ids)))
    for title, curves in CURVES.items():
        board.with_row(dashboard.Row(title).id(next(ids)))
        for curve in curves:
            board.with_panel(_curve(curve).id(next(ids)))
    return JSONEncoder(sort_keys=True, indent=1).encode(board.build()) + "\n"


def _number(number: Number) -> stat.Panel:
    steps = [
        Threshold(color="green", value=None),
        Threshold(color="red", value=number.limit),
    ]
    return (
        stat.Panel()
        .title(number.title)
        .datasource(SOURCE)
        .unit(number.unit)
        .span(WIDTH)
        .height(HEIGHT // 2)
        .thresholds(dashboard.ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(steps))
        .with_target(prometheus.Dataquery().ref_id("A").expr(number.query).legend_format("{{dataset}}").instant())
    )


def _curve(curve: Curve) -> timeseries.Panel:
    return (
        timeseries.Panel()
        .title(curve.title)
        .description(curve.about)
        .datasource(SOURCE)
        .unit(curve.unit)
        .min(0)
        .span(WIDTH)
        .height(HEIGHT)
        .with_target(prometheus.Dataquery().ref_id("A").expr(curve.query).legend_format(curve.legend))
    )


if __name__ == "__main__":
    FILE.write_text(build(), encoding="utf-8")
    print(FILE)
