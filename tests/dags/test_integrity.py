"""Every DAG parses quickly and sets its retries and timeouts."""

from __future__ import annotations

import subprocess
import sys
import time
from contextlib import nullcontext
from copy import deepcopy
from itertools import pairwise
from pathlib import Path

import pytest
from airflow.dag_processing.dagbag import DagBag
from airflow.sdk.bases.decorator import determine_kwargs
from airflow.sdk.definitions.context import KNOWN_CONTEXT_KEYS
from airflow.sdk.exceptions import ParamValidationError

from common.contracts import datasets

ROOT = Path(__file__).resolve().parents[2]
DAGS = ROOT / "dags"
DATASETS = tuple(datasets.names())
DAYS, HOURS = ("2026-01-05", "2026-01-06"), ("2026-01-06T02", "2026-01-06T03")


def is_hourly(name: str) -> bool:
    return datasets.load(name).contract.every == "hour"


@pytest.fixture(scope="module")
def bag() -> DagBag:
    return DagBag(DAGS, bundle_path=DAGS)


def test_every_dag_is_there_and_none_is_broken(bag: DagBag) -> None:
    assert bag.import_errors == {}
    assert {"churn", "transactions"} <= {*DATASETS}
    assert set(bag.dags) >= {
        *DATASETS,
        *(f"{name}_range" for name in DATASETS),
        *(f"{name}_landed" for name in DATASETS),
        "training_set_churn_baseline",
        "maintenance",
    }


def test_every_table_is_validated_before_it_is_read(bag: DagBag) -> None:
    for name in DATASETS:
        dag = bag.dags[name]
        order = [
            "raw.wait", "raw.ingest", "raw.validate", "processed.clean", "processed.validate",
            "features.build", "features.validate", "published.publish",
        ]  # fmt: skip
        for before, after in pairwise(order):
            assert dag.get_task(after).upstream_task_ids == {before}
        assert dag.get_task("published.publish").downstream_task_ids == {"upkeep.compact", "upkeep.out_of_date"}
        assert dag.topological_sort()


def test_each_task_has_owner_retries_backoff_and_timeout(bag: DagBag) -> None:
    for dag in bag.dags.values():
        for task in dag.tasks:
            assert task.owner == "data", task
            assert task.retries == 3, task
            assert task.retry_exponential_backoff, task
            assert task.execution_timeout, task
            assert task.doc_md or dag.dag_id.endswith("_landed"), task
            assert task.on_failure_callback, task
        assert dag.doc_md
        assert dag.tags
        assert dag.catchup is False


def test_each_job_of_a_day_writes_within_the_pool_of_its_table(bag: DagBag) -> None:
    from dags.pools import pools

    for name in DATASETS:
        for task in bag.dags[name].tasks:
            if task.task_id not in ("raw.wait", "upkeep.out_of_date"):
                assert task.pool in pools(), task
    assert pools()["transactions_raw"]["slots"] == 1


def test_no_task_takes_an_argument_of_airflows_name(bag: DagBag) -> None:
    """A run with a date has more of them than one by hand, and Airflow then refuses to call the function."""
    callables = [task for dag in bag.dags.values() for task in dag.tasks if hasattr(task, "python_callable")]
    assert "upkeep.out_of_date" in {task.task_id for task in callables}
    for task in callables:
        determine_kwargs(task.python_callable, task.op_args, dict.fromkeys(KNOWN_CONTEXT_KEYS))


def test_every_publishing_task_emits_its_asset(bag: DagBag) -> None:
    telling = {(dag.dag_id, task.task_id) for dag in bag.dags.values() for task in dag.tasks if task.outlets}
    assert telling == {
        each
        for name in DATASETS
        for each in ((name, "published.publish"), (name, "upkeep.again"), (f"{name}_range", "backfill"))
    }


@pytest.mark.parametrize(
    "given", [{}, {"from": "2026-01-05"}, {"to": "2026-01-05"}, {"from": "05.01.", "to": "2026-01-05"}]
)
def test_a_range_without_a_real_first_and_last_day_is_refused(bag: DagBag, given: dict[str, str]) -> None:
    for name in DATASETS:
        real = dict(zip(("from", "to"), HOURS if is_hourly(name) else DAYS, strict=True))
        for asked, accepted in ((given, False), (real, True)):
            params = deepcopy(bag.dags[f"{name}_range"].params)
            with nullcontext() if accepted else pytest.raises(ParamValidationError):
                params.update(asked)
                params.validate()


def test_a_scheduled_run_is_for_the_day_that_has_just_ended(bag: DagBag) -> None:
    """Uses the serialized DAG, as the scheduler does."""
    from airflow.serialization.decoders import decode_timetable
    from airflow.serialization.encoders import encode_timetable
    from pendulum import datetime

    for name in DATASETS:
        timetable = decode_timetable(encode_timetable(bag.dags[name].timetable))
        interval = timetable.infer_manual_data_interval(run_after=datetime(2026, 1, 6, 3, 20))
        form, ended = ("%Y-%m-%dT%H", HOURS) if is_hourly(name) else ("%Y-%m-%d", DAYS)
        assert (interval.start.strftime(form), interval.end.strftime(form)) == ended


def test_parsing_the_dags_is_quick_and_imports_no_spark_or_gx() -> None:
    """Measured in a process that has already imported Airflow, like the DAG processor."""
    script = f"""
import sys, time, pathlib, logging
import airflow.providers.apache.spark.operators.spark_submit, airflow.triggers.base, airflow.sdk.definitions.dag
from airflow.dag_processing.dagbag import DagBag
folder = pathlib.Path({str(DAGS)!r})
before = time.process_time()
bag = DagBag(folder, bundle_path=folder)
took = time.process_time() - before
heavy = {{"pyspark", "great_expectations", "delta", "deltalake", "pyarrow", "pandas"}}
print(len(bag.dags), took, sorted(heavy & {{name.split(".")[0] for name in sys.modules}}))
"""
    started = time.monotonic()
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT)
    count, took, heavy = done.stdout.strip().splitlines()[-1].split(" ", 2)
    assert int(count) >= 3 * len(DATASETS) + 2
    assert heavy == "[]"
    assert float(took) < 2, f"{took} s of {time.monotonic() - started:.1f}"
