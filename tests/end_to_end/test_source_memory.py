"""A million records of a source pass through the same small memory."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.conftest import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

HEAP = "700m"
# In MB, as the kernel counts: Spark whole with what is beside its heap, each of its Python workers, and the driver.
MOST = {"jvm": 1500, "worker": 400, "python": 500}


@pytest.mark.parametrize("source", ["files", "jdbc", "kafka", "mongo", "http"])
def test_a_million_records_pass_through_a_small_memory(source: str) -> None:
    command = [sys.executable, "-m", "tests.benchmarks.memory", source, "--heap", HEAP]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=800)
    if "Skipped: " in done.stderr:
        pytest.skip(done.stderr.rpartition("Skipped: ")[2].splitlines()[0])
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["records"] == 1_000_000
    assert [kind for kind, most in MOST.items() if found["megabytes"].get(kind, 0) > most] == [], found
    assert found["megabytes"].keys() >= {"jvm", "python"}
