"""Static checks of the compose file; tests/compose/check.py runs the stack."""

import json
import re
import shutil
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from common.runtime.code_version import code_revision
from common.runtime.settings import CONF, ROOT

STACK = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = STACK["services"]
OURS = [name for name, service in SERVICES.items() if "feature-pipeline" in service["image"]]
SECRETS = {
    "POSTGRES_PASSWORD", "AIRFLOW_ADMIN_PASSWORD", "AIRFLOW_JWT_SECRET", "AIRFLOW_API_SECRET", "SPARK_SECRET",
    "AIRFLOW_FERNET_KEY", "SOURCES_PASSWORD", "OBJECT_STORE_SECRET",
}  # fmt: skip


def test_ports_are_bound_to_localhost_only() -> None:
    published = [port for service in SERVICES.values() for port in service.get("ports", [])]
    assert published
    assert all(port.startswith("127.0.0.1:") for port in published)


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_has_limits_a_restart_policy_and_a_healthcheck(name: str) -> None:
    service = SERVICES[name]
    assert service["mem_limit"]
    assert service["cpus"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["cap_drop"] == ["ALL"]
    if name != "airflow-init":
        assert service["restart"] == "unless-stopped"
        assert service["healthcheck"]["test"]


@pytest.mark.parametrize("name", SERVICES)
def test_no_start_depends_on_health_alone(name: str) -> None:
    waits = SERVICES[name].get("depends_on", {})
    assert "service_healthy" not in str(waits)


@pytest.mark.parametrize("name", OURS)
def test_our_images_are_built_locally_and_add_no_capability(name: str) -> None:
    assert SERVICES[name]["pull_policy"] == "never"
    assert "cap_add" not in SERVICES[name]


def test_only_services_that_send_alerts_know_the_receivers() -> None:
    knows = {name for name, service in SERVICES.items() if "ALERT_WEBHOOK" in service.get("environment", {})}
    assert knows == {"airflow-scheduler", "airflow-triggerer", "airflow-dag-processor"}


def test_an_image_knows_the_commit_that_it_was_made_from(monkeypatch: pytest.MonkeyPatch) -> None:
    assert {SERVICES[name]["build"]["args"]["REVISION"] for name in OURS if "build" in SERVICES[name]} == {
        "${REVISION:-}"
    }
    monkeypatch.setenv("CODE_REVISION", "f00")
    assert code_revision.__wrapped__() == "f00"
    monkeypatch.delenv("CODE_REVISION")
    assert len(code_revision.__wrapped__()) == 40


def test_a_digest_can_replace_the_tag_of_every_foreign_image() -> None:
    dockerfile = (CONF / "docker" / "Dockerfile").read_text()
    foreign = [service["image"] for name, service in SERVICES.items() if name not in OURS]
    assert foreign
    assert all(re.fullmatch(r"\$\{[A-Z_]+_IMAGE:-[a-z/-]+:v?[0-9.]+\}", image) for image in foreign), foreign
    arguments = {name: service["build"]["args"] for name, service in SERVICES.items() if "build" in service}
    (python,) = {each["PYTHON_IMAGE"] for each in arguments.values()}
    tag = re.fullmatch(r"\$\{PYTHON_IMAGE:-(.+)\}", python)
    assert tag
    assert re.search(r"^ARG PYTHON_IMAGE=(.+)$", dockerfile, re.M)[1] == tag[1]  # type: ignore[index]
    stages = set(re.findall(r" AS (\S+)$", dockerfile, re.M))
    assert set(re.findall(r"^FROM (\S+)", dockerfile, re.M)) - stages == {"$PYTHON_IMAGE"}


def test_every_secret_is_required_and_none_has_a_default() -> None:
    text = (ROOT / "docker-compose.yml").read_text()
    for name in SECRETS:
        assert f"${{{name}:?run make up, which makes .env}}" in text
        assert text.count(f"${{{name}") == text.count(f"${{{name}:?"), f"{name} has a default somewhere"


def test_only_services_that_run_jobs_know_the_cluster_secret() -> None:
    knows = {name for name, service in SERVICES.items() if "SPARK_SECRET" in service.get("environment", {})}
    assert knows == {"airflow-scheduler", "spark-master", "spark-worker"}
    assert not [key for key in SERVICES["spark-worker"]["environment"] if "AIRFLOW" in key or "POSTGRES" in key]


def test_databases_to_read_from_start_only_when_asked_for() -> None:
    profiled = {name for name, service in SERVICES.items() if service.get("profiles") == ["sources"]}
    assert profiled == {"source-postgres", "source-mariadb", "source-kafka", "source-mongo"}
    files = {name: [file["path"] for file in service.get("env_file", ())] for name, service in SERVICES.items()}
    assert {name for name in files if ".env.sources" in files[name]} == {"airflow-scheduler"}


def test_whoever_reads_the_lake_knows_the_object_store() -> None:
    """The triggerer waits for landing files; the others run jobs and their executors."""
    files = {name: [file["path"] for file in service.get("env_file", ())] for name, service in SERVICES.items()}
    knows = {name for name in files if ".env.object-store" in files[name]}
    assert knows == {"airflow-scheduler", "airflow-triggerer", "spark-worker"}
    assert all(file["required"] is False for service in SERVICES.values() for file in service.get("env_file", ()))
    assert SERVICES["object-store"]["profiles"] == ["object-store"]


def test_versions_are_stated_in_one_place() -> None:
    written = (ROOT / "docker-compose.yml").read_text() + (CONF / "docker" / "Dockerfile").read_text()
    for name in ("spark", "airflow"):
        for line in (CONF / "requirements" / f"{name}.in").read_text().splitlines():
            package, _, version = line.partition("#")[0].strip().partition("==")
            assert not version or version not in written, f"{package}'s version is in its lock already"


def test_the_image_has_no_data_no_history_and_no_secret() -> None:
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    sent = {line.strip("!/") for line in ignored if line.startswith("!")}
    assert "*" in ignored
    assert sent == {"common", "conf", "dags", "jobs", "pyproject.toml"}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project folder with the script that makes the secrets."""
    (tmp_path / "conf" / "docker").mkdir(parents=True)
    shutil.copy(CONF / "docker" / "first_start.py", tmp_path / "conf" / "docker")
    return tmp_path


def first_start(project: Path, *volumes: str) -> subprocess.CompletedProcess[str]:
    engine = project / "docker"
    engine.write_text("#!/bin/sh\n" + "".join(f"echo {volume}\n" for volume in volumes))
    engine.chmod(0o755)
    return subprocess.run(
        [sys.executable, project / "conf" / "docker" / "first_start.py", "docker compose"],
        env={"PATH": f"{project}:/usr/bin:/bin"}, capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_secrets_are_made_once_and_readable_by_this_user_only(project: Path) -> None:
    assert first_start(project).returncode == 0
    file = project / ".env"
    made = dict(line.split("=", 1) for line in file.read_text().splitlines()[1:])
    assert set(made) == SECRETS
    assert len(set(made.values())) == len(SECRETS)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    before = file.read_text()
    file.chmod(0o644)
    done = first_start(project, "feature-pipeline_postgres")
    assert done.returncode == 0
    assert file.read_text() == before
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert not any(value in done.stdout + done.stderr for value in made.values())


def test_lost_secrets_are_not_replaced_beside_existing_volumes(project: Path) -> None:
    done = first_start(project, "other", "feature-pipeline_postgres")
    assert done.returncode == 1
    assert "Put that .env back" in done.stderr
    assert not (project / ".env").exists()


def test_a_secret_that_is_missing_is_named(project: Path) -> None:
    (project / ".env").write_text("".join(f"{name}=x\n" for name in SECRETS - {"SPARK_SECRET"}))
    done = first_start(project)
    assert done.returncode == 1
    assert ".env lacks SPARK_SECRET" in done.stderr


def test_without_a_container_engine_it_says_what_to_install(project: Path) -> None:
    done = subprocess.run(
        [sys.executable, project / "conf" / "docker" / "first_start.py", "no-such-engine compose"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "No no-such-engine found" in done.stderr
    assert not (project / ".env").exists()


@pytest.fixture
def part() -> Iterator[str]:
    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps({"scheduler": {"status": "unhealthy"}, "triggerer": None}).encode())

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Answer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(
    ("expected", "says"),
    [
        ("scheduler.status=unhealthy", ""),
        ("scheduler.status=healthy", "scheduler.status is unhealthy, healthy expected"),
        ("triggerer.status=healthy", "triggerer.status is None, healthy expected"),
    ],
)
def test_a_part_is_healthy_when_it_answers_as_expected(part: str, expected: str, says: str) -> None:
    done = subprocess.run(
        [sys.executable, CONF / "docker" / "healthy.py", part, expected], capture_output=True, text=True, check=False
    )
    assert (done.returncode == 0) == (not says)
    assert says in done.stderr
