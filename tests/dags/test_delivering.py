"""Published days go to the targets that the schedule names, by DAGs that the publications themselves trigger."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import yaml

from dags.schedule import FILE

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = """
import json
from types import SimpleNamespace as Event
from airflow.dag_processing.dagbag import DagBag

bag = DagBag("dags", bundle_path="dags")
dags = {name: dag for name, dag in bag.dags.items() if "_to_" in name}
if bag.import_errors:
    raise SystemExit("\\n".join(bag.import_errors.values()))

from dags.delivering import days_published

healed = {"ds": "2026-01-05", "days": ["2026-01-02", "2026-01-04..2026-01-05"]}
events = {"published/churn": [Event(extra=extra) for extra in ({"ds": "2026-01-06"}, healed, {"ds": "2026-01-09"})]}
print(json.dumps({
    "dags": {name: sorted(dag.task_dict) for name, dag in dags.items()},
    "options": [dag.get_task("deliver").partial_kwargs["options"] for dag in dags.values()],
    "days": days_published.function(params={}, triggering_asset_events=events),
    "by hand": days_published.function(params={"ds": "2026-01-07"}, triggering_asset_events={}),
}))
"""


def dags_with(tmp_path: Path, targets: list[str]) -> subprocess.CompletedProcess[str]:
    said = yaml.safe_load(FILE.read_text()) | {"datasets": {"churn": {"deliver": targets}}}
    (tmp_path / "schedule.yml").write_text(yaml.safe_dump(said))
    declared = json.dumps({"warehouse": {"kind": "postgresql"}, "files": {"kind": "csv", "path": str(tmp_path)}})
    environment = {**os.environ, "SCHEDULE": str(tmp_path / "schedule.yml"), "DELIVERIES": declared}
    return subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=False, cwd=ROOT, env=environment
    )


def test_each_target_gets_every_published_day(tmp_path: Path) -> None:
    done = dags_with(tmp_path, ["warehouse", "files"])
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["dags"] == {
        "churn_to_files": ["days_published", "deliver"],
        "churn_to_warehouse": ["days_published", "deliver"],
    }
    assert sorted(found["options"]) == [["--to", "files"], ["--to", "warehouse"]]
    assert found["days"] == ["2026-01-02", "2026-01-04..2026-01-06", "2026-01-09"], (
        "days that were healed come as events as well"
    )
    assert found["by hand"] == ["2026-01-07"]


def test_a_target_that_is_not_declared_is_told(tmp_path: Path) -> None:
    done = dags_with(tmp_path, ["warehose"])
    assert "deliver of churn names ['warehose'], which is not known; expected one of: files, warehouse" in done.stderr
