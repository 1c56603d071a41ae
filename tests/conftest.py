"""Fixtures: one Spark session for all tests and a lake for each."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings as hypothesis_settings

from tests.support.play_lake import PlayLake

# A busy machine is no bug.
hypothesis_settings.register_profile("unhurried", deadline=None)
hypothesis_settings.load_profile("unhurried")
ROOT = Path(__file__).resolve().parent.parent
# These run in Airflow's own environment.
collect_ignore = ["dags"]
os.environ["PYSPARK_PYTHON"] = sys.executable
# A worker of pytest-xdist has no file of its own; PySpark would take that for a run of doctests, and leave.
sys.modules["__main__"].__dict__.setdefault("__file__", __file__)
for name in ("LAKE", "LANDING", "DATASETS"):
    os.environ.pop(name, None)
# The session starts within this process, without spark-submit: what that would bring comes from here.
# Many days in one session: here the optimising compiler pays for itself.
os.environ["PYSPARK_SUBMIT_ARGS"] = (
    f"--properties-file {ROOT}/conf/spark/spark-defaults.conf --driver-java-options=-XX:TieredStopAtLevel=4 pyspark-shell"
)
os.environ["SPARK_SUBMIT_OPTS"] = (
    f"-Dlog4j2.configurationFile=file:{ROOT}/conf/spark/log4j2.properties "
    f"-XX:SharedArchiveFile={ROOT}/.venv/spark.jsa -Xlog:cds=off -Xlog:cds+dynamic=off"
)


@pytest.fixture(scope="session")
def spark() -> Iterator[object]:
    from common.runtime.session import open_session
    from common.runtime.settings import load_settings

    settings = load_settings("local")
    # Small data: interpreting a plan is quicker than compiling it.
    small = {"spark.sql.codegen.wholeStage": False, "spark.sql.codegen.factoryMode": "NO_CODEGEN"}
    session = open_session(settings.model_copy(update={"spark": {**settings.spark, **small}}), "tests")
    yield session
    session.stop()


@pytest.fixture
def lake(tmp_path: Path, spark: object) -> PlayLake:
    return PlayLake(tmp_path)


DAYS = ("2026-01-05", "2026-01-06")


@pytest.fixture(scope="session")
def two_days(tmp_path_factory: pytest.TempPathFactory, spark: object) -> Path:
    lake = PlayLake(tmp_path_factory.mktemp("churn"), "churn")
    for ds in DAYS:
        lake.publish_customers(ds)
    return lake.root


@pytest.fixture
def churn(tmp_path: Path, two_days: Path) -> PlayLake:
    """Two published days of a small customer base."""
    shutil.copytree(two_days, tmp_path, dirs_exist_ok=True)
    return PlayLake(tmp_path, "churn")
