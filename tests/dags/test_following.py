"""A dataset whose source can be followed has a DAG that follows it, made by the same loop over the contracts."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.support.datasets import spoil
from tests.support.visits import write_visits

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = """
from airflow.dag_processing.dagbag import DagBag
bag = DagBag("dags", bundle_path="dags")
assert bag.import_errors == {}, bag.import_errors
for name in sorted(bag.dags):
    if name.endswith("_stream"):
        dag = bag.dags[name]
        [task] = dag.tasks
        print(name, dag.max_active_runs, task.retries, task.pool, " ".join(task.application_args[-1:]))
        print(name, "asks for", dag.params.get_param("ds").schema["title"])
"""


def test_each_source_that_can_be_followed_has_a_stream(tmp_path: Path) -> None:
    folder = write_visits(tmp_path)
    spoil(folder / "contract.py", 'name="visits",', 'name="visits",\n    source=Kafka(cluster="shop", topic="visits"),')
    spoil(folder / "contract.py", "\nCONTRACT", "from common.sources.kafka.topic import Kafka\n\nCONTRACT")
    environment = {**os.environ, "DATASETS": str(tmp_path), "SOCIAL_KAFKA": "127.0.0.1:9092"}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=False, cwd=ROOT, env=environment
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert "visits_stream 1 3 visits_raw --available-now" in lines, done.stdout
    assert {"visits_stream asks for First day", "mentions_stream asks for First hour"} <= {*lines}
