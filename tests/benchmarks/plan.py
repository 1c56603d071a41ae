"""Plans lakes of many days that are up to date: `plan.py [DAYS]`. Three datasets; the time includes the start of Python."""

import os
import subprocess
import sys
import time
from datetime import date, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.support.datasets import datasets_in
from tests.support.long_lake import LongLake
from tests.support.visits import write_visits

count = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
with TemporaryDirectory() as place:
    root = Path(place)
    write_visits(root / "datasets")
    with datasets_in(root / "datasets"):
        for name in ("transactions", "churn", "visits"):
            LongLake(root, name).write([date(2024, 1, 1) + timedelta(days=number) for number in range(count)])
    folders = {"LAKE": f"{root}/lake", "LANDING": f"{root}/landing", "DATASETS": f"{root}/datasets"}
    for _ in range(5):
        started, before = time.monotonic(), os.times()
        subprocess.run([sys.executable, "-m", "common.reader.cli", "plan"], env={**os.environ, **folders}, check=True)
        after = os.times()
        used = after.children_user + after.children_system - before.children_user - before.children_system
        print(f"{time.monotonic() - started:.2f} s, {used:.2f} s of a core", file=sys.stderr)
