"""Link a training set to a model team's runs: its manifest in MLflow, where MLFLOW_TRACKING_URI names a server or a folder.

Without that variable, nothing is imported.
"""

from __future__ import annotations

import importlib
import logging
import os
from typing import Any

from common.errors import UsageError
from common.lake.training_manifests import FOLDER

LOG = logging.getLogger(__name__)
ADDRESS, EXPERIMENT = "MLFLOW_TRACKING_URI", "MLFLOW_EXPERIMENT_NAME"
# MLflow's own would wait minutes for a server that is down.
PATIENCE = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1", "MLFLOW_HTTP_REQUEST_TIMEOUT": "10"}
NAME, FINGERPRINT = "training_set", "training_set.fingerprint"


def require_client() -> None:
    """Raises before anything is built if the manifest could not be logged."""
    if os.environ.get(ADDRESS):
        _library()


def tell(manifest: dict[str, Any]) -> dict[str, Any]:
    """Log the manifest as a run, once; return the run's id, or a warning, for the JSON line. Nothing without an address."""
    if not os.environ.get(ADDRESS):
        return {}
    for name, value in PATIENCE.items():
        os.environ.setdefault(name, value)
    tracking = _library()
    try:
        client = tracking.MlflowClient()
        experiment = _experiment(client)
        return {"mlflow_run": _logged(client, experiment, manifest) or _log(client, experiment, manifest)}
    except Exception as error:
        LOG.warning("%s is built, but MLflow could not be told: %s", _name(manifest), " ".join(str(error).split()))
        told = f"MLflow was not told: {type(error).__name__}. Check {ADDRESS}, and run the same command again: it builds nothing"
        return {"warnings": [{"rule": "mlflow", "message": told}]}


def _library() -> Any:
    try:
        return importlib.import_module("mlflow")
    except ImportError:
        raise UsageError(
            f"{ADDRESS} is set, but MLflow's client is not installed; expected it: pip install 'mlflow-skinny', or unset the "
            "variable"
        ) from None


def _experiment(client: Any) -> str:
    name = os.environ.get(EXPERIMENT) or FOLDER
    found = client.get_experiment_by_name(name)
    return str(found.experiment_id if found else client.create_experiment(name))


def _logged(client: Any, experiment: str, manifest: dict[str, Any]) -> str | None:
    """The run that an earlier command finished, for the same version from the same inputs."""
    wanted = {NAME: _name(manifest), FINGERPRINT: manifest["inputs"]["fingerprint"]}
    asked = " and ".join(f"tags.`{name}` = '{value}'" for name, value in wanted.items())
    runs = client.search_runs([experiment], f"{asked} and attributes.status = 'FINISHED'", max_results=1)
    return str(runs[0].info.run_id) if runs else None


def _log(client: Any, experiment: str, manifest: dict[str, Any]) -> str:
    run_id = str(client.create_run(experiment, run_name=_name(manifest)).info.run_id)
    for name, value in _tags(manifest).items():
        client.set_tag(run_id, name, value)
    for name, value in _params(manifest).items():
        client.log_param(run_id, name, value)
    for name, count in manifest["counts"].items():
        client.log_metric(run_id, name, count)
    client.log_dict(run_id, manifest, "manifest.json")
    client.set_terminated(run_id)
    return run_id


def _tags(manifest: dict[str, Any]) -> dict[str, str]:
    told = {name: str(manifest.get(name) or "") for name in ("dataset", "run_id", "revision", "lock", "description")}
    return {NAME: _name(manifest), FINGERPRINT: manifest["inputs"]["fingerprint"], **told}


def _params(manifest: dict[str, Any]) -> dict[str, str]:
    """What the rows are made from, and their hashes; MLflow takes no @ in a name."""
    inputs = manifest["inputs"]
    versions = {f"version.{table.replace('@', '.')}": str(version) for table, version in inputs["versions"].items()}
    hashes = {f"hash.{split}": told["hash"] for split, told in manifest["splits"].items()}
    return {"version": str(manifest["version"]), "days": "..".join(inputs["days"]), **versions, **hashes}


def _name(manifest: dict[str, Any]) -> str:
    return f"{FOLDER}/{manifest['name']}/v{manifest['version']}"
