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
import time

from common.runtime.session import open_session
from common.runtime.settings import load_settings
from tests.benchmarks.filled_sources import PAGE, SOURCES
from tests.benchmarks.peaks import peaks
from tests.benchmarks.sources import ingest


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("source", choices=SOURCES)
    arguments.add_argument("--records", type=int, default=1_000_000)
    arguments.add_argument("--heap", default="700m")
    asked = arguments.parse_args()
    count = asked.records // PAGE * PAGE
    options = f'--driver-memory {asked.heap} --conf "spark.driver.defaultJavaOptions=-XX:+UseParallelGC"'
    os.environ |= {"PYSPARK_PYTHON": sys.executable, "PYSPARK_SUBMIT_ARGS": f"{options} pyspark-shell"}
    spark = open_session(load_settings("local"), "memory")
    with SOURCES[asked.source](spark, count) as compared, tempfile.TemporaryDirectory() as folder:
        started = time.monotonic()
        with peaks() as most:
            ingest(compared, count, folder)
        seconds = round(time.monotonic() - started, 1)
    print(json.dumps({"source": asked.source, "records": count, "seconds": seconds, "megabytes": most}))


if __name__ == "__main__":
    main()
