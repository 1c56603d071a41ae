"""A training set is told to MLflow where MLFLOW_TRACKING_URI names one, and nowhere else."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from common.errors import UsageError
from common.training import tracking
from tests.support.ports import free_port

MANIFEST: dict[str, Any] = {
    "name": "baseline",
    "version": 2,
    "description": "Everybody",
    "dataset": "churn",
    "run_id": "abc",
    "revision": "0ddba11",
    "lock": "c0ffee",
    "inputs": {"fingerprint": "feedbeef", "days": ["2026-01-05", "2026-01-06"], "versions": {"churn@v1": 3}},
    "counts": {"examples": 3, "train": 2, "val": 1},
    "splits": {"train": {"rows": 2, "hash": "aa"}, "val": {"rows": 1, "hash": "bb"}},
    "fitted": "{}",
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    pytest.importorskip("mlflow", reason="pip install mlflow-skinny")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"file://{tmp_path}/mlruns")
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    return f"{tmp_path}/mlruns"


def test_the_manifest_is_a_run_with_versions_hashes_and_split(folder: str) -> None:
    from mlflow import MlflowClient

    run_id = tracking.tell(MANIFEST)["mlflow_run"]
    run = MlflowClient().get_run(run_id)
    assert run.info.status == "FINISHED"
    assert run.data.params == {
        "version": "2",
        "days": "2026-01-05..2026-01-06",
        "version.churn.v1": "3",
        "hash.train": "aa",
        "hash.val": "bb",
    }
    assert run.data.metrics == MANIFEST["counts"]
    assert run.data.tags["training_set"] == "training_sets/baseline/v2"
    (stored,) = Path(folder).rglob("manifest.json")
    assert json.loads(stored.read_text()) == MANIFEST


def test_a_second_command_finds_the_run_of_the_first(folder: str) -> None:
    told = tracking.tell(MANIFEST)
    assert tracking.tell(MANIFEST) == told
    assert tracking.tell({**MANIFEST, "version": 3}) != told


@pytest.mark.parametrize("address", ["nonsense://x", "http://127.0.0.1:{port}"])
def test_a_server_that_is_down_is_a_warning(folder: str, address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The set is built by then: the same command tells of it later, and builds nothing anew."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", address.format(port=free_port()))
    started = time.monotonic()
    (warning,) = tracking.tell(MANIFEST)["warnings"]
    assert warning["rule"] == "mlflow"
    assert "run the same command again: it builds nothing" in warning["message"]
    assert time.monotonic() - started < 30, "MLflow's own patience is minutes"


def test_without_its_client_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "file:///nowhere")
    monkeypatch.setitem(sys.modules, "mlflow", None)
    with pytest.raises(UsageError, match="pip install 'mlflow-skinny'"):
        tracking.require_client()


def test_without_an_address_nothing_is_imported() -> None:
    code = f"import sys; from common.training import tracking; assert tracking.tell({MANIFEST!r}) == {{}}; "
    code += "assert 'mlflow' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, env={"PATH": ""}, cwd=Path(__file__).parents[2])
