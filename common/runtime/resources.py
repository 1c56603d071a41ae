"""What this process and its Spark application have used: peak memory, and bytes read. Unknown numbers are left out."""

from __future__ import annotations

import resource
import sys
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

KIB = 1024


@dataclass(frozen=True)
class Resources:
    bytes_read: int | None = None  # by Spark, since it started
    peaks: dict[str, int] = field(default_factory=dict)  # memory in bytes: of python, jvm, and the largest executor


def used() -> Resources:
    peaks = {"python": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * KIB}
    with suppress(Exception):  # Spark has ended, or is a version that says it elsewhere
        context = _spark_context()
        if context:
            executors = _executors(context)
            if peak := max((_peak(each) for each in executors if each.id() != "driver"), default=0):
                peaks["executor"] = peak
            peaks["jvm"] = _high_water_mark(_process_id(context._jvm))
            return Resources(sum(each.totalInputBytes() for each in executors), peaks)
    return Resources(peaks=peaks)


def _spark_context() -> Any:
    pyspark = sys.modules.get("pyspark")
    return pyspark.SparkContext._active_spark_context if pyspark else None


def _executors(context: Any) -> list[Any]:
    found = context._jsc.sc().statusStore().executorList(False)
    return [found.apply(number) for number in range(found.size())]


def _peak(executor: Any) -> int:
    """Executors report it with their heartbeats, every ten seconds."""
    metrics = executor.peakMemoryMetrics()
    if not metrics.isDefined():
        return 0
    return sum(metrics.get().getMetricValue(name) for name in ("JVMHeapMemory", "JVMOffHeapMemory"))


@cache
def _process_id(jvm: Any) -> int:
    return int(jvm.java.lang.ProcessHandle.current().pid())


def _high_water_mark(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * KIB for line in lines if line.startswith("VmHWM:"))
