"""`make demo` runs fourteen days of both datasets through to a model's predictions; a second run does nothing."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.support.play_lake import PlayLake

ROOT = Path(__file__).resolve().parents[2]


def demo(lake: PlayLake) -> tuple[str, str]:
    places = {"LAKE": str(lake.root / "lake"), "LANDING": str(lake.landing), "ONLINE": lake.online}
    done = subprocess.run(
        ["make", "demo"],
        cwd=ROOT,
        env={**os.environ, **places},
        capture_output=True,
        text=True,
        check=False,
        timeout=900,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout, done.stderr


@pytest.mark.slow
def test_the_demo_finishes_its_days_and_a_rerun_does_nothing(tmp_path: Path) -> None:
    lake = PlayLake(tmp_path)
    # As left by a demo that was stopped while it wrote its sample.
    half = lake.landing / ".writing" / "transactions" / "ds=2026-01-01"
    half.mkdir(parents=True)
    (half / "part-0.csv").write_text("transaction_id\n")
    shown, progress = demo(lake)
    assert re.search(r"14 of 14: done .*features=", progress)
    days = re.findall(r"^2026-01-\d\d .*", shown, re.M)
    assert len(days) == 28
    assert not [day for day in days if " - " in day], "every figure of every day is known"
    assert str(lake.root / "lake") in shown
    assert len(re.findall(r"^  \S.*", shown, re.M)) >= 3, "what to try next"
    before = lake.state()
    _, progress = demo(lake)
    assert "nothing to do" in progress
    assert lake.state() == before
