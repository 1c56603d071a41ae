"""A contract with a period every hour has DAGs whose runs are for an hour."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.support.readings import write_readings

ROOT = Path(__file__).resolve().parents[2]
LOOK = """
import json, sys
from datetime import UTC, datetime
from types import SimpleNamespace
from airflow.dag_processing.dagbag import DagBag
bag = DagBag("dags", bundle_path="dags")
dag, by_range = bag.dags["readings"], bag.dags["readings_range"]
run = SimpleNamespace(data_interval_start=datetime(2026, 1, 5, 13, tzinfo=UTC), run_after=None)
context = {"params": {}, "dag_run": run, "triggering_asset_events": None}
ingest = dag.get_task("raw.ingest")
arguments = ingest.render_template(ingest.application_args, context, dag.get_template_env())
waits = dag.get_task("raw.wait").render_template(dag.get_task("raw.wait").ds, context, dag.get_template_env())
asked = {"range": by_range.params.get_param("from").schema["pattern"], "ds": dag.params.get_param("ds").schema["pattern"]}
daily = [bag.dags[name].timetable.expression for name in ("churn", "transactions")]
upkeep = bag.dags["maintenance"]
when = upkeep.get_task("maintain").partial_kwargs["ds"]
kept = [
    upkeep.get_template_env().from_string(when).render(
        {**context, **upkeep.user_defined_macros, "task": SimpleNamespace(dataset=name)}
    )
    for name in ("readings", "churn")
]
print(json.dumps([bag.import_errors, dag.timetable.expression, daily, arguments, waits, asked, kept]))
"""


def test_each_hour_has_a_run_that_passes_it_to_its_jobs(tmp_path: Path) -> None:
    write_readings(tmp_path / "datasets")
    environment = {**os.environ, "DATASETS": str(tmp_path / "datasets")}
    done = subprocess.run(
        [sys.executable, "-c", LOOK], capture_output=True, text=True, check=False, cwd=ROOT, env=environment
    )
    assert done.returncode == 0, done.stderr
    errors, schedule, daily, arguments, waits, asked, kept = json.loads(done.stdout.splitlines()[-1])
    assert errors == {}
    assert (schedule, daily) == ("0 * * * *", ["0 0 * * *", "0 0 * * *"])
    assert arguments[:4] == ["--dataset", "readings", "--ds", "2026-01-05T13"]
    assert waits == "2026-01-05T13"
    assert kept == ["2026-01-05T00", "2026-01-05"]
    assert all(pattern.endswith(r"T([01]\d|2[0-3])$") for pattern in asked.values())
