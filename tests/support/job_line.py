"""The line that a job has printed, which is what its published schema says."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

from jsonschema import Draft202012Validator

from common.reader.shapes import JOB, schema_of


@cache
def _schema() -> Draft202012Validator:
    return Draft202012Validator(schema_of(JOB))


def line_of(printed: str) -> dict[str, Any]:
    """The last line of what a job printed."""
    line: dict[str, Any] = json.loads(printed.strip().splitlines()[-1])
    _schema().validate(line)
    return line
