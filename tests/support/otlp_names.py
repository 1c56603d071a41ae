"""Prints what files of OTLP hold, by the names that Prometheus gives it. Runs in Airflow's environment, which reads OTLP."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

UNITS = {"ms": "_milliseconds"}


def name(metric: Any) -> str:
    total = "_total" if metric.WhichOneof("data") == "sum" and metric.sum.is_monotonic else ""
    return f"{metric.name.replace('.', '_')}{UNITS.get(metric.unit, '')}{total}"


def names(content: bytes) -> set[str]:
    request = ExportMetricsServiceRequest()
    request.ParseFromString(content)
    return {
        name(metric)
        for resource in request.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
    }


if __name__ == "__main__":
    print(json.dumps(sorted(set().union(*(names(path.read_bytes()) for path in Path(sys.argv[1]).iterdir())))))
