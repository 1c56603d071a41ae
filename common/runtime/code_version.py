"""Which code is running."""

from __future__ import annotations

import hashlib
import logging
import os
import subprocess
from functools import cache

from common.contracts import datasets
from common.runtime.settings import CONF, ROOT


@cache
def code_fingerprint() -> str:
    """Of everything that computes: another code may give another result for the same input."""
    folders = {ROOT / "common", ROOT / "jobs", *datasets.folders()}
    sources = sorted(path for folder in folders for path in folder.rglob("*.py"))
    return hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()[:16]


@cache
def lock_revision() -> str:
    """Of the pinned libraries that the code runs on."""
    return hashlib.sha256((CONF / "requirements" / "spark.txt").read_bytes()).hexdigest()[:16]


@cache
def code_revision() -> str:
    """The commit that is checked out; an image says which it was made from. Empty where nobody knows."""
    if told := os.environ.get("CODE_REVISION"):
        return told
    try:
        done = subprocess.run(
            ["git", "-C", str(ROOT), "rev-parse", "HEAD"], capture_output=True, text=True, check=False, timeout=10
        )
    except (OSError, subprocess.TimeoutExpired):
        logging.getLogger("pipeline").debug("no git here, so no code revision")
        return ""
    return done.stdout.strip()
