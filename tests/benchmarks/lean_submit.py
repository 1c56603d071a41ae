"""One step of the least PySpark as a submit of its own, for `warm.py`: `spark-submit lean_submit.py STEP DS LANDING LAKE`.

With SPARK_REMOTE, Python alone runs it.
"""

import os
import sys
from datetime import date
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
if os.environ.get("SPARK_REMOTE"):
    os.environ["SPARK_CONNECT_MODE_ENABLED"] = "1"  # which PySpark's functions look at

from common.runtime.session import open_session
from common.runtime.settings import load_settings
from tests.benchmarks.lean import LeanDay


def main(step: str, ds: str, landing: str, lake: str) -> None:
    spark = open_session(load_settings("local", lake=lake, landing=landing), "lean")
    getattr(LeanDay(spark, landing, lake), step)(date.fromisoformat(ds))


if __name__ == "__main__":
    main(*sys.argv[1:])
