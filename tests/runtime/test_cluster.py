"""Errors without a cluster, and where its secret may appear."""

import socket
import subprocess
from pathlib import Path

import pytest
from pyspark import SparkContext

from common.errors import ClusterUnavailableError
from common.runtime import cluster
from common.runtime.session import shared_session
from common.runtime.settings import Settings, load_settings
from conf.spark.daemon import command_line


def settings(master: str = "spark://127.0.0.1:1", secret_file: str | None = None) -> Settings:
    found = load_settings("cluster", secret_file=secret_file)
    return found.model_copy(update={"spark": {**found.spark, "spark.master": master}})


def test_a_cluster_that_does_not_answer_is_named_with_what_to_do() -> None:
    with pytest.raises(ClusterUnavailableError, match=r"answers at spark://127.0.0.1:1: start it with `make cluster`"):
        cluster.require_reachable(settings())
    elsewhere = settings().model_copy(update={"env": "moon", "standalone": None})
    with pytest.raises(ClusterUnavailableError, match=r"see that it runs, and that conf/moon.yml names it"):
        cluster.require_reachable(elsewhere)


def test_one_of_several_masters_is_enough() -> None:
    with socket.create_server(("127.0.0.1", 0)) as master:
        cluster.require_reachable(settings(f"spark://127.0.0.1:1,127.0.0.1:{master.getsockname()[1]}"))


def test_settings_hold_the_path_of_the_secret_not_its_value(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "secret").write_text("hunter2\n")
    monkeypatch.setenv("SECRET_FILE", str(tmp_path / "secret"))
    found = load_settings("cluster")
    assert cluster.authentication(found)["spark.authenticate.secret"] == "hunter2"
    assert "hunter2" not in f"{found!r}{found.model_dump()}"


@pytest.mark.parametrize(("content", "said"), [(None, "make cluster"), ("\n", "is empty")])
def test_a_missing_secret_is_an_error_that_names_its_file(tmp_path: Path, content: str | None, said: str) -> None:
    if content is not None:
        (tmp_path / "secret").write_text(content)
    with pytest.raises(ClusterUnavailableError, match=said) as refused:
        cluster.authentication(settings(secret_file=str(tmp_path / "secret")))
    assert str(tmp_path / "secret") in str(refused.value)


def test_a_session_starts_its_jvm_without_the_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Session options end up on the JVM's command line, which everybody can read."""
    (tmp_path / "secret").write_text("hunter2")
    known: list[object] = []

    def launch(conf: object = None) -> None:
        known.append(conf)
        raise InterruptedError

    monkeypatch.setattr(SparkContext, "_gateway", None)
    monkeypatch.setattr("pyspark.core.context.launch_gateway", launch)
    with socket.create_server(("127.0.0.1", 0)) as master, pytest.raises(InterruptedError):
        shared_session(settings(f"spark://127.0.0.1:{master.getsockname()[1]}", str(tmp_path / "secret")), "test")
    assert known == [None]


def test_local_mode_needs_no_secret() -> None:
    assert not cluster.is_standalone(load_settings("local"))
    assert cluster.authentication(load_settings("local")) == {}


def test_a_daemon_is_recognised_while_its_script_becomes_java(tmp_path: Path) -> None:
    """It was once taken for dead at that moment and left running."""
    script = tmp_path / "again.sh"
    script.write_text(f'[ -e {tmp_path}/enough ] && exit; exec bash {script} "$@"')
    with subprocess.Popen(["bash", script, "the-daemon"]) as daemon:
        seen = [command_line(daemon.pid) for _ in range(5000)]
        (tmp_path / "enough").touch()
        while command_line(daemon.pid) != [""]:
            pass  # until it has ended as a zombie
    assert all("the-daemon" in words for words in seen)
