"""Fixtures: one Spark session for all tests and a lake for each."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings as hypothesis_settings

from tests.support.datasets import datasets_in
from tests.support.openings import Openings
from tests.support.play_lake import PlayLake
from tests.support.visits import write_visits

# A slow machine must not fail a test.
hypothesis_settings.register_profile("unhurried", deadline=None)
hypothesis_settings.load_profile("unhurried")
ROOT = Path(__file__).resolve().parent.parent
# The DAG tests run in Airflow's own environment.
collect_ignore = ["dags"]
os.environ["PYSPARK_PYTHON"] = sys.executable
# pytest-xdist workers have no __main__.__file__; PySpark would take them for doctests and exit.
sys.modules["__main__"].__dict__.setdefault("__file__", __file__)
for name in ("LAKE", "LANDING", "DATASETS"):
    os.environ.pop(name, None)
# Without spark-submit, its options come from here. Java's first compiler alone: the optimising one would take a third of the
# processor, and win back no more than that.
os.environ["PYSPARK_SUBMIT_ARGS"] = f"--properties-file {ROOT}/conf/spark/spark-defaults.conf pyspark-shell"
os.environ["SPARK_SUBMIT_OPTS"] = (
    f"-Dlog4j2.configurationFile=file:{ROOT}/conf/spark/log4j2.properties "
    f"-XX:SharedArchiveFile={ROOT}/.venv/spark.jsa -Xlog:cds=off -Xlog:cds+dynamic=off"
)


@pytest.fixture(scope="session")
def spark() -> Iterator[object]:
    from common.runtime.session import open_session
    from common.runtime.settings import load_settings

    settings = load_settings("local")
    # On small data, interpreting a plan is faster than compiling it.
    small = {"spark.sql.codegen.wholeStage": False, "spark.sql.codegen.factoryMode": "NO_CODEGEN"}
    session = open_session(settings.model_copy(update={"spark": {**settings.spark, **small}}), "tests")
    yield session
    session.stop()


@pytest.fixture
def lake(tmp_path: Path, spark: object) -> PlayLake:
    return PlayLake(tmp_path)


@pytest.fixture(scope="session")
def openings(tmp_path_factory: pytest.TempPathFactory, spark: object) -> Openings:
    return Openings(tmp_path_factory.mktemp("openings"))


def copy_of(name: str) -> Any:
    """A fixture: the test's own copy of the opening of that name."""

    @pytest.fixture(name=name)
    def copied(openings: Openings, tmp_path: Path) -> PlayLake:
        opening: PlayLake = getattr(openings, name)
        return opening.copied(tmp_path)

    return copied


one_made, two_made, two_cleaned = copy_of("one_made"), copy_of("two_made"), copy_of("two_cleaned")
one_published, two_published, corrected = copy_of("one_published"), copy_of("two_published"), copy_of("corrected")
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


@pytest.fixture(scope="session")
def trained_once(two_days: Path, tmp_path_factory: pytest.TempPathFactory) -> PlayLake:
    from common.training.build import build_training_set
    from common.training.training_set import declared_training_set

    lake = PlayLake(two_days, "churn").copied(tmp_path_factory.mktemp("trained"))
    days = [lake.plan("training_set", ds) for ds in DAYS]
    build_training_set(days, declared_training_set(days[0].dataset, "churn_baseline"), None)
    return lake


@pytest.fixture
def trained(trained_once: PlayLake, tmp_path: Path) -> PlayLake:
    """The same days, and the training set of them."""
    return trained_once.copied(tmp_path)


@pytest.fixture
def visits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of a third dataset, which a test may spoil; paths in messages are relative to the folder above."""
    monkeypatch.chdir(tmp_path)
    with datasets_in(tmp_path):
        yield write_visits(tmp_path)
