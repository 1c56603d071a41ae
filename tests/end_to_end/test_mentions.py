"""The commands that a scheduler runs for mentions every five minutes, as processes, with a broker and a service."""

from __future__ import annotations

import json
import os
import re
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from tests.support.kafka import broker
from tests.support.mentions import mention
from tests.support.play_lake import PlayLake
from tests.support.scorer import scorer

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "jobs/datasets/mentions/README.md").read_text()
FOLLOW, SCORES, PAGE = re.findall(r"^\.venv/bin/.*$", README, re.M)


def run(command: str, root: Path, code: int = 0, **environment: str) -> Any:
    outside = {**os.environ, "LAKE": f"{root}/lake", "LANDING": f"{root}/landing", **environment}
    done = subprocess.run(command.split(), cwd=ROOT, env=outside, capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stderr[-2000:]
    last = done.stdout.splitlines()[-1]
    return json.loads(last) if last.startswith("{") else last


@pytest.mark.slow
def test_the_commands_of_five_minutes_run_as_they_are_written(tmp_path: Path, spark: SparkSession) -> None:
    lake = PlayLake(tmp_path, "mentions")
    with broker(spark) as started, scorer() as service:
        started.topic("mentions", 2)
        places = {"SOCIAL_KAFKA": started.address, "SENTIMENT_SERVICE": service.address}
        now = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
        started.send("mentions", json.dumps(mention("a", now, "good")), now, key="a")
        assert run(FOLLOW, tmp_path, **places)["outcome"] == "done"
        service.behaviours = [service.broken]
        assert run(SCORES, tmp_path, 1, **places)["error"] == "SourceUnreachableError"
        service.behaviours = []
        assert run(SCORES, tmp_path, **places)["counts"] == {"scored": 1, "pending": 0}
        assert run(FOLLOW, tmp_path, **places)["outcome"] == "done"
        assert [str(row["score"]) for row in lake.rows("processed")] == ["0.2500"]
        assert run(SCORES, tmp_path, **places)["outcome"] == "nothing"
        page = Path(run(PAGE, tmp_path, **places))
    assert '"name":"kettle"' in page.read_text()
