"""Which code is running, and which code a day's rows depend on."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import subprocess
from functools import cache

from common.contracts.checking.feature_columns import before_features
from common.contracts.checking.source_code import SourceCode, source_code
from common.contracts.datasets import Dataset
from common.runtime.settings import CONF, ROOT

# Raise this when a change of the engine changes the rows that it makes of the same input: every day is then computed
# again. tests/end_to_end/test_golden_content.py fails when it was forgotten.
ENGINE_VERSION = 3


def day_fingerprint(dataset: Dataset) -> str:
    """The fingerprint of what decides a day's rows besides its input: engine version, contract, the dataset's own code."""
    return code_fingerprint(source_code(dataset.contract_file), source_code(dataset.transforms_file), ENGINE_VERSION)


def rows_fingerprint(dataset: Dataset) -> str:
    """The same without the feature columns, for the steps before the features. How far windows reach back decides which
    rows clean looks for."""
    codes = source_code(dataset.contract_file), source_code(dataset.transforms_file)
    return fingerprint_before_features(*codes, dataset.contract.features.days_back, ENGINE_VERSION)


def fingerprint_before_features(
    contract: SourceCode, transforms: SourceCode, days_back: int, engine_version: int
) -> str:
    return fingerprint_of([engine_version, days_back, before_features(contract, transforms)])


def code_fingerprint(contract: SourceCode, transforms: SourceCode, engine_version: int) -> str:
    return fingerprint_of([engine_version, contract.statements, transforms.statements])


def fingerprint_of(parts: object) -> str:
    """Stored in commits, so equal parts must always give the same fingerprint."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]


@cache
def lock_revision() -> str:
    """The fingerprint of the pinned libraries that the code runs on."""
    return hashlib.sha256((CONF / "requirements" / "spark.txt").read_bytes()).hexdigest()[:16]


@cache
def code_revision() -> str:
    """The commit that is checked out, or that an image was built from; empty where neither is known."""
    if revision := os.environ.get("CODE_REVISION"):
        return revision
    try:
        done = subprocess.run(
            ["git", "-C", str(ROOT), "rev-parse", "HEAD"], capture_output=True, text=True, check=False, timeout=10
        )
    except (OSError, subprocess.TimeoutExpired):
        logging.getLogger("pipeline").debug("git is not installed, so the code revision is unknown")
        return ""
    return done.stdout.strip()
