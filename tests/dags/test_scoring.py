"""A dataset that declares scores has a DAG that gets them, made by the same loop over the contracts."""

from __future__ import annotations

from pathlib import Path

from airflow.dag_processing.dagbag import DagBag

DAGS = Path(__file__).resolve().parents[2] / "dags"


def test_each_dataset_that_declares_scores_has_a_dag_for_them() -> None:
    bag = DagBag(DAGS, bundle_path=DAGS)
    assert bag.import_errors == {}
    assert [name for name in bag.dags if name.endswith("_scores")] == ["mentions_scores"]
    dag = bag.dags["mentions_scores"]
    [task] = dag.tasks
    assert (dag.max_active_runs, dag.catchup) == (1, False)
    assert task.application_args[:4] == ["--dataset", "mentions", "--ds", "now"]
