"""The inputs and outputs of a run's lineage event: names, versions, counts, columns' origins, and the gate's checks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from common.contracts import layout
from common.contracts.contract import Contract
from common.contracts.documents.column_origins import ARRIVED, EVENT_DATE, ORIGINS, Origin, landing_path
from common.contracts.layout import Table
from common.lake.log.commit_files import FileChanges
from common.lake.storage.files import is_local, local_path
from common.runtime.run import Run
from common.telemetry.facets import Facets, facet
from common.telemetry.observation import Observation

LineageDataset = dict[str, Any]
# The table whose rows a job counts.
TARGETS: dict[str, Callable[[Contract], Table]] = {
    "ingest": layout.raw,
    "clean": layout.processed,
    "partials": layout.partials,
    "features": layout.features,
    "publish": layout.published,
}
OTHERS = (layout.quarantine, layout.superseded)


def inputs(seen: Observation, checks: list[dict[str, Any]]) -> list[LineageDataset]:
    """What was read, at its versions. The first one has the counts and the checks."""
    run = seen.run
    read = seen.line.get("read") or run.versions_read
    found = [_dataset(run, path, _version(version)) for path, version in read.items()]
    if seen.step == "ingest":
        found.append(_dataset(run, landing_path(run.contract), {}))
    for first in found[:1]:
        first["inputFacets"] = _input_facets(seen, checks)
    return found


def _input_facets(seen: Observation, checks: list[dict[str, Any]]) -> Facets:
    facets = {}
    if (count := seen.rows().get("in")) is not None:
        facets["inputStatistics"] = facet("InputStatisticsInputDatasetFacet", rowCount=count)
    if checks:
        assertions = [_assertion(check) for check in checks]
        facets["dataQualityAssertions"] = facet("DataQualityAssertionsDatasetFacet", assertions=assertions)
    return facets


def _assertion(check: dict[str, Any]) -> dict[str, Any]:
    """Without examples: they are values of the data."""
    named = {"column": "column", "severity": "severity", "limit": "expected", "observed": "actual"}
    told = {own: str(check[name]) for name, own in named.items() if check.get(name) is not None}
    counts = {name: check[name] for name in ("failed", "checked") if name in check}
    return {
        "assertion": str(check["expectation"]),
        "success": bool(check["success"]),
        **told,
        **({"params": counts} if counts else {}),
    }


def outputs(seen: Observation) -> list[LineageDataset]:
    return [_output(seen, path, version) for path, version in seen.line.get("written", {}).items()]


def _output(seen: Observation, path: str, version: int) -> LineageDataset:
    run, changes = seen.run, seen.files.get(path, FileChanges())
    facets = {**_version(version), **_schema(run, path), **_column_lineage(run, path)}
    statistics = {"size": changes.added_bytes, "fileCount": changes.added, **_row_count(seen, path)}
    output = {"outputStatistics": facet("OutputStatisticsOutputDatasetFacet", **statistics)}
    return {**_dataset(run, path, facets), "outputFacets": output}


def _row_count(seen: Observation, path: str) -> dict[str, int]:
    """The day's rows in the job's own table, or those that it refused; not those of other tables."""
    rows, kind = seen.rows(), "out" if path == _target(seen.run) else "refused"
    counted = path in (_target(seen.run), layout.quarantine(seen.run.contract).path) and kind in rows
    return {"rowCount": rows[kind]} if counted else {}


def _target(run: Run) -> str:
    return TARGETS[run.job](run.contract).path if run.job in TARGETS else ""


def _schema(run: Run, path: str) -> Facets:
    made = (make(run.contract) for make in (*TARGETS.values(), *OTHERS))
    table = next((table for table in made if table.path == path), None)
    if table is None:
        return {}
    return {
        "schema": facet("SchemaDatasetFacet", fields=[{"name": name, "type": type_} for name, type_ in table.columns])
    }


def _column_lineage(run: Run, path: str) -> Facets:
    """Superseded rows were processed ones; what a job writes besides its own table has no columns of its own."""
    made = path == _target(run) or (run.job == "clean" and path == layout.superseded(run.contract).path)
    if run.job not in ORIGINS or not made:
        return {}
    fields = {column: _field(run, origin) for column, origin in ORIGINS[run.job](run.dataset).items()}
    whole = {"dataset": _grouping(run)} if run.job == "features" and run.contract.features.window_days else {}
    return {"columnLineage": facet("ColumnLineageDatasetFacet", fields=fields, **whole)}


def _field(run: Run, origin: Origin) -> dict[str, Any]:
    transformation = {"type": "DIRECT", "subtype": origin.kind, "description": origin.words}
    found = [_input_field(run, origin.table, column, transformation) for column in origin.columns]
    # A column without inputs, such as the month of ds, is described here.
    return {"inputFields": found, **({} if found else {"transformationDescription": origin.words})}


def _grouping(run: Run) -> list[dict[str, Any]]:
    """The columns that decide which rows a feature's window holds."""
    table = layout.processed(run.contract).path
    known = {"type": "INDIRECT", "subtype": "FILTER", "description": "arrived by the end of ds"}
    window = {"type": "INDIRECT", "subtype": "FILTER", "description": "the window of days up to ds"}
    entity = {"type": "INDIRECT", "subtype": "GROUP_BY", "description": "one row per entity"}
    uses = {run.contract.features.entity: entity, EVENT_DATE: window, ARRIVED: known}
    return [_input_field(run, table, column, use) for column, use in uses.items()]


def _input_field(run: Run, table: str, column: str, transformation: dict[str, str]) -> dict[str, Any]:
    namespace, name = named(run, table)
    return {"namespace": namespace, "name": name, "field": column, "transformations": [transformation]}


def _version(version: int) -> Facets:
    return {"version": facet("DatasetVersionDatasetFacet", datasetVersion=str(version))}


def _dataset(run: Run, path: str, facets: Facets) -> LineageDataset:
    namespace, name = named(run, path)
    return {"namespace": namespace, "name": name, "facets": facets}


def named(run: Run, path: str) -> tuple[str, str]:
    """Namespace and name as the specification has them for files: `file` and a path, or the bucket and a key."""
    root = run.settings.lake
    if "@" in path:  # a published table, as training sets name it
        path = "/".join(["published", *path.split("@")])
    if path == landing_path(run.contract):
        root, path = run.settings.landing, run.contract.name
    if is_local(root):
        return "file", f"{local_path(root)}/{path}"
    scheme, _, rest = root.partition("://")
    bucket, _, folder = rest.partition("/")
    return f"{scheme.replace('s3a', 's3')}://{bucket}", f"{folder}/{path}".lstrip("/")
