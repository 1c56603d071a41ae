"""Metrics as OTLP over HTTP, in its JSON encoding: each sample is a gauge."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from typing import Any

from common.telemetry.metrics import HELP, MetricSample

SERVICE = "feature-pipeline"


def request(samples: Iterable[MetricSample]) -> bytes:
    """The body of a request to /v1/metrics."""
    at = str(time.time_ns())
    gauges: dict[str, list[dict[str, Any]]] = {}
    for sample in samples:
        gauges.setdefault(sample.name, []).append(_point(sample, at))
    metrics = [
        {"name": name, "description": HELP[name], "gauge": {"dataPoints": points}} for name, points in gauges.items()
    ]
    scope = {"scope": {"name": SERVICE}, "metrics": metrics}
    resource = {"attributes": [_attribute("service.name", SERVICE)]}
    return json.dumps({"resourceMetrics": [{"resource": resource, "scopeMetrics": [scope]}]}).encode()


def _point(sample: MetricSample, at: str) -> dict[str, Any]:
    return {
        "timeUnixNano": at,
        "asDouble": sample.value,
        "attributes": [_attribute(name, value) for name, value in sample.labels],
    }


def _attribute(name: str, value: str) -> dict[str, Any]:
    return {"key": name, "value": {"stringValue": value}}
