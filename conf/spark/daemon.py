"""A process of Spark that runs on this machine by itself: a cluster's master or worker, or a Spark Connect server."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from common.runtime.settings import ROOT
from conf import commands

HERE = "127.0.0.1"
END_SECONDS = 20
LIGHT = ("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")


@dataclass(frozen=True)
class Daemon:
    """How to start one of them, and how to recognise it."""

    name: str
    folder: Path
    main: str
    arguments: tuple[str, ...]
    variables: tuple[tuple[str, str], ...] = ()  # of its environment

    @property
    def log(self) -> Path:
        return self.folder / f"{self.name}.log"

    @property
    def pid_file(self) -> Path:
        return self.folder / f"{self.name}.pid"

    @property
    def pid(self) -> int | None:
        """Its process id while it runs; ignores an id that the system reused for another process."""
        try:
            pid = int(self.pid_file.read_text())
            words = command_line(pid)
        except (OSError, ValueError):
            return None
        return pid if {self.main, str(properties(self.folder))} <= set(words) else None

    def start(self) -> None:
        command = [str(spark_home() / "bin" / "spark-class"), self.main]
        command += ["--properties-file", str(properties(self.folder)), *self.arguments]
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                command, env=environment(self.folder) | dict(self.variables), cwd=self.folder, stdin=subprocess.DEVNULL,
                stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        self.pid_file.write_text(str(process.pid))

    def end(self) -> None:
        """Sends SIGTERM, so that a worker ends its executors; sends SIGKILL after a while."""
        for number, seconds in ((signal.SIGTERM, END_SECONDS), (signal.SIGKILL, END_SECONDS)):
            pid = self.pid
            if pid is None:
                break
            os.kill(pid, number)
            wait(lambda: self.pid is None, seconds)
        self.pid_file.unlink(missing_ok=True)


def daemon_of(folder: Path, name: str, *arguments: str) -> Daemon:
    kind = name.partition("-")[0]
    small = (("SPARK_DAEMON_MEMORY", "512m"), ("SPARK_DAEMON_JAVA_OPTS", in_words(*LIGHT, *archived())))
    return Daemon(name, folder, f"org.apache.spark.deploy.{kind}.{kind.title()}", ("--host", HERE, *arguments), small)


def archived() -> tuple[str, ...]:
    """Options with which Java loads Spark's classes from the archive that the set-up made."""
    archive = ROOT / ".venv" / "spark.jsa"
    return (f"-XX:SharedArchiveFile={archive}", "-Xlog:cds=off", "-Xlog:cds+dynamic=off") if archive.exists() else ()


def in_words(*options: str) -> str:
    """Each in quotes of its own, because the project's folder may have a space in its name."""
    return " ".join(f'"{option}"' for option in options)


def properties(folder: Path) -> Path:
    return folder / "daemons.conf"


def environment(folder: Path) -> dict[str, str]:
    """The caller's environment without its Spark variables. Only an environment variable can bind the web pages to an address."""
    return {
        **commands.environment(),
        "SPARK_HOME": str(spark_home()),
        "SPARK_LOCAL_IP": HERE,
        "SPARK_LOCAL_DIRS": str(folder / "scratch"),
    }


def command_line(pid: int) -> list[str]:
    """The words of a process's command line. It is empty during exec too, so it is read again until the process has ended."""
    process = Path(f"/proc/{pid}")
    for _ in range(1000):
        words = (process / "cmdline").read_text()
        if words or (process / "stat").read_text().rpartition(")")[2].split()[0] == "Z":
            return words.split("\0")
        time.sleep(0.001)
    return []  # kernel threads never have one


def spark_home() -> Path:
    return next(ROOT.glob(".venv/lib/python3*/site-packages/pyspark"))


def wait(condition: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True
