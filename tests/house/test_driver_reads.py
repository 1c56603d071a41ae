"""What comes from Spark into one process, or into each of its tasks, is bounded: every such place says by what."""

import re
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TAKES = re.compile(r"\.(collect|toArrow|toPandas|toLocalIterator)\(\)|F\.broadcast\(")
# By module: how often, and what bounds the rows that come.
BOUNDS = {
    "common/clean/stored_versions.py": (1, "days of lateness and a window"),
    "common/features/leak_check.py": (1, "the few records that it poisons"),
    "common/lake/merging/difference.py": (2, "FEW_ROWS rows, or the bytes that deltalake merges"),
    "common/lake/spark_hash.py": (7, "FEW_ROWS rows; of more, 32 bytes each"),
    "common/lake/spark_tables.py": (1, "BROADCAST_ROWS rows"),
    "common/published/reproduce.py": (1, "the features of a day, which whoever reads them holds too"),
    "common/quality/checks.py": (1, "a few examples"),
    "common/sources/arrivals.py": (2, "a row for each file"),
    "common/sources/files/landing.py": (1, "a row for each file"),
    "common/sources/kafka/reader.py": (1, "a row for each partition of a topic"),
    "common/sources/kafka/stream.py": (1, "a row for each partition of a topic"),
    "common/training/build.py": (
        3,
        "FEW_ROWS rows; the columns of the train split that steps learn from: they sort them",
    ),
}


def test_each_place_that_takes_rows_from_spark_is_bounded() -> None:
    found = defaultdict[str, int](int)
    for wing in ("common", "jobs"):
        for module in sorted((ROOT / wing).rglob("*.py")):
            times = len(TAKES.findall(module.read_text(encoding="utf-8")))
            if times:
                found[str(module.relative_to(ROOT))] = times
    assert found == {module: times for module, (times, _) in BOUNDS.items()}
