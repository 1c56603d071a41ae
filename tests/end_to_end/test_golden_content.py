"""The rows that this version of the engine makes of three seeded days, as hashes.

A changed hash means that stored days would come out differently: raise ENGINE_VERSION in common/runtime/code_version.py, so
that they are computed again, and keep the new hashes under the new version: `python -m tests.end_to_end.test_golden_content`
prints them.
"""

from __future__ import annotations

import hashlib
import importlib
import tempfile
from datetime import date
from pathlib import Path

import pytest

from common.runtime.code_version import ENGINE_VERSION
from tests.support.play_lake import PlayLake

GOLDEN = Path(__file__).parent / "golden" / f"engine-{ENGINE_VERSION}.txt"
DATASETS = ("churn", "transactions")
DAYS = ("2026-01-05", "2026-01-06", "2026-01-07")
ROWS = 150
# Names the run, not the row.
RUN_COLUMNS = {"run_id"}


def content(root: Path, dataset: str) -> list[str]:
    """`dataset table rows hash`, one line for each table with rows, after the days have run."""
    lake = PlayLake(root / dataset, dataset)
    sample = importlib.import_module(f"jobs.datasets.{dataset}.sample")
    for ds in DAYS:
        sample_day = ["--start", ds, "--days", "1", "--rows", str(ROWS), "--out", str(lake.landing)]
        sample.main(dataset, sample.COLUMNS, sample.generate, sample_day)
        lake.day(ds)
    tables = [
        path
        for path in sorted(lake.state())
        if not path.startswith(("verdicts/", "profiles/")) and lake.table(path).count()
    ]
    return [f"{dataset} {path} {hashed(lake, path)}" for path in tables]


def hashed(lake: PlayLake, path: str) -> str:
    rows = lake.table(path).to_pyarrow_table().to_pylist()
    texts = sorted(
        repr(sorted((name, value) for name, value in row.items() if name not in RUN_COLUMNS)) for row in rows
    )
    return f"{len(rows)} {hashlib.sha256(chr(10).join(texts).encode()).hexdigest()[:16]}"


@pytest.mark.usefixtures("spark")
@pytest.mark.parametrize("dataset", DATASETS)
def test_the_engine_makes_the_rows_of_its_version(tmp_path: Path, dataset: str) -> None:
    golden = [line for line in GOLDEN.read_text().splitlines() if line.startswith(f"{dataset} ")]
    advice = (
        f"rows of engine version {ENGINE_VERSION} changed: raise ENGINE_VERSION, then keep the new hashes (see above)"
    )
    assert content(tmp_path, dataset) == golden, advice


if __name__ == "__main__":
    importlib.import_module("tests.conftest")  # sets Spark up
    assert date.fromisoformat(DAYS[0])
    with tempfile.TemporaryDirectory() as folder:
        for name in DATASETS:
            print("\n".join(content(Path(folder), name)))
