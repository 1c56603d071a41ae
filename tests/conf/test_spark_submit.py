"""The environment's spark-submit shows what a job says and nothing else; a stub stands in for Spark."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
NOISE = (
    "WARNING: Using incubator modules: jdk.incubator.vector",
    "Warning: Java versions > Java 11 can only operate in restricted mode where no off-heap operations are allowed!",
)


@pytest.fixture
def command(tmp_path: Path) -> Path:
    copied = tmp_path / "conf/spark/spark-submit"
    copied.parent.mkdir(parents=True)
    shutil.copy(ROOT / "conf/spark/spark-submit", copied)
    return copied


def spark(folder: Path, script: str) -> None:
    program = folder / ".venv/lib/python3.11/site-packages/pyspark/bin/spark-submit"
    program.parent.mkdir(parents=True)
    program.write_text(f"#!/bin/bash\n{script}\n")
    program.chmod(0o755)


def test_the_warnings_of_java_and_spark_are_left_out(command: Path, tmp_path: Path) -> None:
    noise = "; ".join(f"echo '{line}' >&2" for line in NOISE)
    spark(tmp_path, f"{noise}; echo 'ingest: WARNING: 2 rows' >&2; printf 'no UTF-8 \\xff\\n' >&2; echo '{{}}'; exit 3")
    done = subprocess.run([command], capture_output=True, check=False, timeout=120)
    assert done.returncode == 3
    assert done.stdout == b"{}\n"
    assert done.stderr == b"ingest: WARNING: 2 rows\nno UTF-8 \xff\n"


def test_a_similar_line_of_a_job_is_shown(command: Path, tmp_path: Path) -> None:
    spark(tmp_path, f"echo 'job: {NOISE[0]}' >&2")
    done = subprocess.run([command], capture_output=True, text=True, check=True, timeout=120)
    assert done.stderr == f"job: {NOISE[0]}\n"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_last_words_of_a_stopped_job_are_shown(command: Path, tmp_path: Path, number: int) -> None:
    spark(tmp_path, "trap 'echo stopped >&2; exit 130' INT TERM; echo started >&2; while :; do read -t 1 <> <(:); done")
    process = subprocess.Popen(
        [command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    assert process.stderr and process.stderr.readline() == "started\n"
    os.killpg(process.pid, number)
    _, said = process.communicate(timeout=120)
    assert (process.returncode, said) == (130, "stopped\n")


@pytest.mark.parametrize("locale", ["C", "POSIX", "C.UTF-8", ""])
def test_java_reads_arguments_as_utf8_in_any_locale(command: Path, tmp_path: Path, locale: str) -> None:
    spark(tmp_path, "locale charmap")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("LC_", "LANG"))}
    done = subprocess.run(
        [command], env=environment | {"LC_ALL": locale}, capture_output=True, text=True, check=True, timeout=120
    )
    assert done.stdout == "UTF-8\n"
