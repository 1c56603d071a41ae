"""Writes the console of lakes of many days: `console.py [DAYS]`. Three datasets; the time includes the start of Python."""

import os
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.support.console_lake import write_console_lake
from tests.support.datasets import datasets_in
from tests.support.visits import write_visits

count = int(sys.argv[1]) if len(sys.argv) > 1 else 400
with TemporaryDirectory() as place:
    root = Path(place)
    write_visits(root / "datasets")
    with datasets_in(root / "datasets"):
        write_console_lake(root, ("transactions", "churn", "visits"), count)
    folders = {"LAKE": f"{root}/lake", "LANDING": f"{root}/landing", "DATASETS": f"{root}/datasets"}
    folders["ONLINE"] = f"sqlite:///{root}/online.db"
    command = [sys.executable, "-m", "common.console.page", "--days", str(count)]
    for _ in range(5):
        started, before = time.monotonic(), os.times()
        subprocess.run(command, env={**os.environ, **folders}, check=True, stdout=subprocess.DEVNULL)
        after = os.times()
        used = after.children_user + after.children_system - before.children_user - before.children_system
        size = (root / "console" / "index.html").stat().st_size
        print(f"{time.monotonic() - started:.2f} s, {used:.2f} s of a core, {size:,} bytes", file=sys.stderr)
