"""The OpenLineage events of a run: START, then COMPLETE or FAIL, or ABORT if it was interrupted."""

from __future__ import annotations

import os
import re
import uuid
from datetime import UTC, datetime
from typing import Any, Literal

from common.days import end_of, start_of
from common.runtime.code_version import code_revision, lock_revision
from common.runtime.run import Run
from common.runtime.settings import ROOT
from common.telemetry import lineage_datasets
from common.telemetry.facets import CORE, PRODUCER, Facets, facet, own_run_facet
from common.telemetry.observation import Observation

Event = dict[str, Any]
Kind = Literal["START", "COMPLETE", "FAIL", "ABORT"]
# <namespace>/<job>/<UUID of the run>, as OpenLineage's other integrations pass it; dags/submit.py sets it.
PARENT = "OPENLINEAGE_PARENT_ID"
_PARENT_ID = re.compile(r"(?P<namespace>[^/]+)/(?P<name>.+)/(?P<run>[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})")


def started(seen: Observation) -> Event:
    return _event("START", seen, seen.began)


def aborted(seen: Observation) -> Event:
    return _event("ABORT", seen, datetime.now(UTC))


def ended(seen: Observation, checks: list[dict[str, Any]]) -> Event:
    """`checks` are the results of the gate, if it ran."""
    event = _event("FAIL" if seen.failure else "COMPLETE", seen, seen.ended or datetime.now(UTC))
    if seen.failure:
        message = _error(seen.failure)
        event["run"]["facets"]["errorMessage"] = facet(
            "ErrorMessageRunFacet", message=message, programmingLanguage="Python"
        )
    return {**event, "inputs": lineage_datasets.inputs(seen, checks), "outputs": lineage_datasets.outputs(seen)}


def run_id(run: Run, ds: str) -> str:
    """Made from the run's id in commits, which all steps and days of a backfill share."""
    return str(uuid.uuid5(uuid.NAMESPACE_OID, f"{run.run_id}/{run.contract.name}/{run.job}/{ds}"))


def _event(kind: Kind, seen: Observation, at: datetime) -> Event:
    run = seen.run
    return {
        "eventType": kind,
        "eventTime": at.isoformat(),
        "producer": PRODUCER,
        "schemaURL": f"{CORE}/RunEvent",
        "run": {"runId": run_id(run, seen.ds), "facets": _run_facets(seen)},
        "job": {
            "namespace": run.settings.telemetry.namespace,
            "name": f"{seen.dataset}.{seen.step}",
            "facets": _job_facets(run),
        },
        "inputs": [],
        "outputs": [],
    }


def _run_facets(seen: Observation) -> Facets:
    run = seen.run
    begin, end = start_of(seen.days[0]), end_of(seen.days[-1])
    own = own_run_facet(
        ds=seen.ds,
        run_id=run.run_id,
        code=run.code,
        revision=code_revision(),
        lock=lock_revision(),
        left_out=[str(day) for day in run.left_out],
    )
    nominal = facet("NominalTimeRunFacet", nominalStartTime=begin.isoformat(), nominalEndTime=end.isoformat())
    return {"nominalTime": nominal, "featurePipeline_run": own, **_parent()}


def _parent() -> Facets:
    given = _PARENT_ID.fullmatch(os.environ.get(PARENT, ""))
    if not given:
        return {}
    job = {"namespace": given["namespace"], "name": given["name"]}
    return {"parent": facet("ParentRunFacet", run={"runId": given["run"]}, job=job)}


def _job_facets(run: Run) -> Facets:
    program = ROOT / "jobs" / f"{run.job.partition('-')[0]}.py"
    version = {"version": revision} if (revision := code_revision()) else {}
    return {
        "jobType": facet("JobTypeJobFacet", processingType="BATCH", integration="FEATURE_PIPELINE", jobType="JOB"),
        "sourceCodeLocation": facet("SourceCodeLocationJobFacet", type="git", url=program.as_uri(), **version),
    }


def _error(failure: dict[str, Any]) -> str:
    """The error's type and the failed rules: its text may hold a value or a place. The run log has it in full."""
    rules = [str(rule["expectation"]) for rule in failure.get("failures", []) if "expectation" in rule]
    return ": ".join(filter(None, [str(failure.get("error", "Error")), ", ".join(rules)]))
