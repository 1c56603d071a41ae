"""Runs the DAG tests in Airflow's environment with a temporary AIRFLOW_HOME."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

os.environ["AIRFLOW_HOME"] = tempfile.mkdtemp(prefix="airflow-home-")
os.environ["AIRFLOW__CORE__LOAD_EXAMPLES"] = "False"
os.environ["AIRFLOW__CORE__PLUGINS_FOLDER"] = str(Path(__file__).resolve().parents[2] / "conf/airflow/plugins")
os.environ["AIRFLOW__CORE__UNIT_TEST_MODE"] = "False"
for name in ("LAKE", "LANDING", "DATASETS", "SCHEDULE", "PIPELINE_ENV"):
    os.environ.pop(name, None)
