"""Runs the parts of Airflow on this machine until it is stopped: `parts.py FOLDER`, where each part's log goes.

`airflow standalone` leaves a part that has died dead; here it is started again. Nobody else reads this machine's logs, so
no part serves them: the page reads them from the disk. Standard library only.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

PARTS = {
    "api-server": (),
    "scheduler": ("--skip-serve-logs",),
    "dag-processor": (),
    "triggerer": ("--skip-serve-logs",),
}
STOP = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
# A part that ends this soon after its start, this many times in a row, will not recover.
SOON, OFTEN = 20.0, 3
GRACE = 20.0
# These keep nothing that a clean end would save, but take ten seconds for it: they are ended once no task can need them.
HELPERS, HELPERS_GRACE = ("api-server", "triggerer"), 1.0


class Part:
    """One part in a process group of its own, so that its children can be ended with it."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name, self.log = name, folder / f"{name}.log"
        self.short_lives = 0
        self.start()

    def start(self) -> None:
        self.began = time.monotonic()
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                ["airflow", self.name, *PARTS[self.name]], stdout=log, stderr=log, process_group=0
            )

    def signal(self, number: int) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, number)

    @property
    def alive(self) -> bool:
        """Whether the part, or a process it started, is alive."""
        self.process.poll()
        try:
            os.killpg(self.process.pid, 0)
        except ProcessLookupError:
            return False
        return True


def main(folder: Path) -> NoReturn:
    for number in STOP:
        signal.signal(number, lambda *_: sys.exit(0))
    parts: list[Part] = []
    try:
        parts += [Part(name, folder) for name in PARTS]
        while True:
            for part in parts:
                if part.process.poll() is not None:
                    again(part)
            time.sleep(0.5)
    finally:
        for number in STOP:
            signal.signal(number, signal.SIG_IGN)  # a second signal must not interrupt the shutdown
        end(parts)


def again(part: Part) -> None:
    """Stops tasks that a dead scheduler left running, with their drivers: they are retried."""
    lived = time.monotonic() - part.began
    part.short_lives = part.short_lives + 1 if lived < SOON else 1
    if part.short_lives >= OFTEN:
        sys.exit(f"Airflow's {part.name} ends as soon as it is started: see {part.log}")
    print(f"Airflow's {part.name} has ended ({part.process.returncode}) and is started again", file=sys.stderr)
    end([part])
    part.start()


def end(parts: list[Part]) -> None:
    for part in parts:
        part.signal(signal.SIGTERM)
    wait([part for part in parts if part.name not in HELPERS], GRACE)
    wait(parts, HELPERS_GRACE)
    for part in parts:
        part.signal(signal.SIGKILL)
        part.process.wait()


def wait(parts: list[Part], seconds: float) -> None:
    until = time.monotonic() + seconds
    while any(part.alive for part in parts) and time.monotonic() < until:
        time.sleep(0.1)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
