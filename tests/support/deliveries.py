"""Delivers days of a small published table, in this process or in one that is killed on its way."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

import psycopg

from common.delivery.deliver import deliver
from common.orchestration.cli import plan
from common.runtime.run import Outcome

TABLE = "churn/v1"


def deliver_day(lake: Path, ds: str, to: str, full_refresh: bool = False) -> Outcome:
    options = {"lake": str(lake), "landing": None, "env": "local", "long_range": False}
    [run] = plan("deliver", {**options, "dataset": "churn", "ds": ds, "to": to, "full_refresh": full_refresh})
    return deliver(run)


def _kill_before(nth: int) -> None:
    """Before the nth statement; statements are counted from the first one after the connection."""
    execute, count = psycopg.Connection.execute, 0

    def counted(self: Any, *words: Any, **named: Any) -> Any:
        nonlocal count
        count += 1
        if count == nth:
            os.kill(os.getpid(), signal.SIGKILL)
        return execute(self, *words, **named)

    psycopg.Connection.execute = counted  # type: ignore[method-assign]


if __name__ == "__main__":
    _kill_before(int(sys.argv[1]))
    deliver_day(Path(sys.argv[2]), sys.argv[3], sys.argv[4])
