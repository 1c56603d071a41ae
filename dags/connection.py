"""Prints Airflow's Spark connection as JSON, from the settings of the jobs: `python -m dags.connection`."""

from __future__ import annotations

import json

from dags.schedule import settings

if __name__ == "__main__":
    print(json.dumps({"conn_type": "spark", "host": settings().spark["spark.master"]}))
