"""What a set-up expects of the machine: Python and Java. Standard library only, and runs with any Python 3."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from conf.commands import stop

PYTHON = (3, 11)
JAVA = 17


def check_python() -> None:
    if sys.version_info[:2] != PYTHON:
        version = ".".join(map(str, sys.version_info[:3]))
        stop(
            f"Python {version} found, Python 3.11 needed: install it (Debian: apt-get install python3.11 python3.11-venv)."
        )
    try:
        import ensurepip  # noqa: F401  (a package of its own on Debian)
    except ImportError:
        stop("Python's venv module is missing: install it (Debian: apt-get install python3.11-venv).")


def check_java() -> None:
    advice = (
        f"Java {JAVA} is needed: install it (Debian: apt-get install openjdk-17-jre-headless) or point JAVA_HOME to it."
    )
    try:
        shown = subprocess.run([java(), "-version"], capture_output=True, text=True, check=True).stderr
    except (OSError, subprocess.CalledProcessError):
        stop(f"No working Java found. {advice}")
    version = re.search(r'version "(\d+)', shown)
    if not version or int(version[1]) < JAVA:
        stop(f"Java {version[1] if version else '?'} found. {advice}")


def java() -> str:
    home = os.environ.get("JAVA_HOME")
    return str(Path(home) / "bin" / "java") if home else "java"
