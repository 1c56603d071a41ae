"""Ingests records of a source within a small heap, and says how much memory each kind of process took at most, in MB.

`python -m tests.benchmarks.memory files|kafka|jdbc|mongo|http [--records N] [--heap 700m]`. `jvm` is Spark whole, driver and
executor in one; `worker` is the largest of Spark's Python workers; `python` is the driver's.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

from common.runtime.session import open_session
from common.runtime.settings import load_settings
from tests.benchmarks.filled_sources import PAGE, SOURCES
from tests.benchmarks.sources import ingest
from tests.support.processes import parent, words

SIGNS = {"jvm": "org.apache.spark.deploy.SparkSubmit", "worker": "daemon"}


@dataclass
class Peaks:
    """The most memory that each kind of this process's children has ever had, as the kernel counts it."""

    most: dict[str, int] = field(default_factory=dict)
    done: threading.Event = field(default_factory=threading.Event)

    def watch(self) -> None:
        while not self.done.wait(0.2):
            self.look()

    def look(self) -> None:
        kinds = {os.getpid(): "python"}
        for pid in sorted(int(place.name) for place in Path("/proc").glob("[0-9]*")):
            if parent(pid) in kinds and (kind := _kind(pid)):
                kinds[pid] = kind
        for pid, kind in kinds.items():
            self.most[kind] = max(self.most.get(kind, 0), _megabytes(pid))


def _kind(pid: int) -> str:
    said = words(pid)
    return next((kind for kind, sign in SIGNS.items() if sign in said), "")


def _megabytes(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0  # it has just ended
    return next((int(line.split()[1]) // 1024 for line in lines if line.startswith("VmHWM:")), 0)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("source", choices=SOURCES)
    arguments.add_argument("--records", type=int, default=1_000_000)
    arguments.add_argument("--heap", default="700m")
    asked = arguments.parse_args()
    count = asked.records // PAGE * PAGE
    options = f'--driver-memory {asked.heap} --conf "spark.driver.defaultJavaOptions=-XX:+UseParallelGC"'
    os.environ |= {"PYSPARK_PYTHON": sys.executable, "PYSPARK_SUBMIT_ARGS": f"{options} pyspark-shell"}
    spark, peaks = open_session(load_settings("local"), "memory"), Peaks()
    with SOURCES[asked.source](spark, count) as compared, tempfile.TemporaryDirectory() as folder:
        watch = threading.Thread(target=peaks.watch)
        watch.start()
        started = time.monotonic()
        try:
            ingest(compared, count, folder)
        finally:
            peaks.look()
            peaks.done.set()
            watch.join()
        seconds = round(time.monotonic() - started, 1)
    print(json.dumps({"source": asked.source, "records": count, "seconds": seconds, "megabytes": peaks.most}))


if __name__ == "__main__":
    main()
