"""Airflow's connection to Spark, from the jobs' own settings: `python -m dags.connection` prints it as JSON."""

from __future__ import annotations

import json

from dags.schedule import settings

if __name__ == "__main__":
    print(json.dumps({"conn_type": "spark", "host": settings().spark["spark.master"]}))
