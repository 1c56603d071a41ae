"""The metrics' text files, in Prometheus's format: one for each step of a dataset, replaced whole."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.metrics_core import GaugeMetricFamily
from prometheus_client.parser import text_string_to_metric_families

from common.lake.storage.files import read_text, write_text
from common.lake.storage.locks import hold_here
from common.runtime.settings import Settings
from common.telemetry.metrics import HELP, MetricSample

WAIT_SECONDS = 0.1


def folder(settings: Settings) -> str:
    return settings.telemetry.metrics or f"{settings.lake}/metrics"


def update(
    settings: Settings, name: str, change: Callable[[list[MetricSample]], list[MetricSample]]
) -> list[MetricSample]:
    """Replace the file by what `change` makes of its samples; one run at a time."""
    place = f"{folder(settings)}/{name}.prom"
    with hold_here(settings.lake, f"metrics/{name}", WAIT_SECONDS):
        samples = change(parse(read_text(place)))
        write_text(place, text(samples))
    return samples


def text(samples: Iterable[MetricSample]) -> str:
    families: dict[str, GaugeMetricFamily] = {}
    for sample in samples:
        family = families.setdefault(sample.name, GaugeMetricFamily(sample.name, HELP[sample.name]))
        family.add_sample(sample.name, dict(sample.labels), sample.value)
    registry = CollectorRegistry()
    registry.register(_Collected(families.values()))
    return generate_latest(registry).decode()


class _Collected:
    def __init__(self, families: Iterable[GaugeMetricFamily]) -> None:
        self.collect = families.__iter__


def parse(content: str) -> list[MetricSample]:
    """The samples of a file that this project wrote; none of one that is damaged or has another version's names."""
    try:
        families = [*text_string_to_metric_families(content)]
    except ValueError:
        return []
    return [
        MetricSample(sample.name, tuple(sample.labels.items()), sample.value)
        for family in families
        for sample in family.samples
        if sample.name in HELP
    ]
