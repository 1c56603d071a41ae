"""Only this user can read what Airflow's set-up writes; stubs stand in for Airflow and Python."""

from __future__ import annotations

import shutil
import stat
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
# Writes a file where Airflow would, and says with which umask jobs will write.
STUB = """#!/bin/bash
[ "$1" != -m ] || { echo '{}'; exit; }
touch "$AIRFLOW_HOME/$(basename "$0")-$1"
echo "$JOBS_UMASK" >"$AIRFLOW_HOME/jobs-umask"
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for name in ("airflow", "python"):
        program = tmp_path / ".venv-airflow/bin" / name
        program.parent.mkdir(parents=True, exist_ok=True)
        program.write_text(STUB)
        program.chmod(0o755)
    shutil.copytree(ROOT / "conf/airflow", tmp_path / "conf/airflow")
    shutil.copytree(ROOT / "conf/docker", tmp_path / "conf/docker")
    return tmp_path


def run(project: Path, command: str, umask: int, **variables: str) -> None:
    own = {"PATH": f"{project}/conf/airflow:/usr/bin:/bin", "HOME": str(project), "AIRFLOW__API__PORT": "1"}
    subprocess.run(
        command.split(), cwd=project, env=own | variables, umask=umask, check=True, capture_output=True, timeout=60
    )


def mode(path: Path) -> str:
    return oct(stat.S_IMODE(path.stat().st_mode))


@pytest.mark.parametrize(
    "commands",
    [
        ("conf/airflow/airflow backfill", "conf/airflow/start"),
        ("conf/airflow/start", "conf/airflow/airflow backfill"),
    ],
)
def test_airflows_files_are_private_in_any_order_of_targets(project: Path, commands: tuple[str, ...]) -> None:
    for command in commands:
        run(project, command, 0o022)
    home = project / "data/airflow"
    written = [path for path in home.rglob("*") if path.is_file()]
    assert {"passwords.json", "pools.json", "airflow-backfill", "airflow-db"} <= {path.name for path in written}
    assert {mode(path) for path in written} == {"0o600"}
    assert mode(home) == "0o700"


@pytest.mark.parametrize("command", ["conf/airflow/start", "conf/airflow/airflow backfill"])
def test_the_data_folder_and_the_jobs_keep_the_users_umask(project: Path, command: str) -> None:
    run(project, command, 0o027)
    assert mode(project / "data") == "0o750"
    assert (project / "data/airflow/jobs-umask").read_text() == "0027\n"


def test_a_home_of_an_earlier_version_becomes_private(project: Path) -> None:
    (project / "data/airflow").mkdir(parents=True)
    (project / "data/airflow").chmod(0o755)
    run(project, "conf/airflow/airflow version", 0o022)
    assert mode(project / "data/airflow") == "0o700"


def test_a_container_keeps_passwords_private_and_the_umask(project: Path) -> None:
    home = project / "home/airflow"
    run(project, "conf/docker/airflow-part api-server", 0o022, AIRFLOW_HOME=str(home), AIRFLOW_ADMIN_PASSWORD="x")
    run(project, "conf/docker/airflow-part scheduler", 0o022, AIRFLOW_HOME=str(home), SPARK_SECRET="x")
    for name in ("airflow/passwords.json", "airflow/airflow-scheduler"):
        assert mode(project / "home" / name) == "0o600", name
    assert mode(project / "spark-secret") == "0o600"
    assert (home / "jobs-umask").read_text() == "0022\n"


def test_the_logs_of_tasks_are_private(project: Path) -> None:
    (project / ".venv-airflow/bin/airflow").write_text('#!/bin/bash\nenv >"$AIRFLOW_HOME/environment"\n')
    run(project, "conf/airflow/airflow version", 0o022)
    environment = (project / "data/airflow/environment").read_text()
    assert "AIRFLOW__LOGGING__FILE_TASK_HANDLER_NEW_FOLDER_PERMISSIONS=0o700" in environment
    assert "AIRFLOW__LOGGING__FILE_TASK_HANDLER_NEW_FILE_PERMISSIONS=0o600" in environment
