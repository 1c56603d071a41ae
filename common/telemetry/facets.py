"""Facets of OpenLineage events, as the specification's JSON.

They are plain dictionaries: importing openlineage-python takes 0.12 s, more than all else that a run reports. A test checks
them against the specification's schemas.
"""

from __future__ import annotations

from typing import Any

Facets = dict[str, Any]
PRODUCER = "urn:feature-pipeline"
SPEC = "https://openlineage.io/spec"
CORE = f"{SPEC}/2-0-2/OpenLineage.json#/$defs"
# The versions of the schemas that tests/telemetry/schemas holds.
VERSIONS = {
    "ColumnLineageDatasetFacet": "1-2-0",
    "DataQualityAssertionsDatasetFacet": "1-1-0",
    "DatasetVersionDatasetFacet": "1-0-1",
    "ErrorMessageRunFacet": "1-0-1",
    "InputStatisticsInputDatasetFacet": "1-0-0",
    "JobTypeJobFacet": "2-0-4",
    "NominalTimeRunFacet": "1-0-1",
    "OutputStatisticsOutputDatasetFacet": "1-0-2",
    "ParentRunFacet": "1-2-0",
    "SchemaDatasetFacet": "1-2-0",
    "SourceCodeLocationJobFacet": "1-1-0",
}


def facet(schema: str, **content: Any) -> Facets:
    url = f"{SPEC}/facets/{VERSIONS[schema]}/{schema}.json#/$defs/{schema}"
    return {"_producer": PRODUCER, "_schemaURL": url, **content}


def own_run_facet(**content: Any) -> Facets:
    """What no facet of the specification covers."""
    return {"_producer": PRODUCER, "_schemaURL": f"{CORE}/RunFacet", **content}
