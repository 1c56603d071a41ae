"""BSON as text without loss: plain values as other sources write them, nested ones as MongoDB's relaxed extended JSON."""

from __future__ import annotations

import json
import math
import uuid
from base64 import b64encode
from datetime import datetime
from typing import Any


def bson_text(value: Any, mark: str = ".") -> str | None:
    """A number gets the decimal mark that its column is read with."""
    match value:
        case None | str():
            return value
        case bool():
            return "true" if value else "false"
        case int():
            return str(int(value))
        case float():
            return _fraction(value).replace(".", mark)
        case datetime():
            return f"{value.replace(tzinfo=None).isoformat(' ', 'microseconds')}Z"
        case bytes():
            return b64encode(value).decode()
        case uuid.UUID():
            return str(value)
        case _:
            return _special(value, mark)


def _fraction(value: float) -> str:
    if math.isfinite(value):
        return repr(value)
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def _special(value: Any, mark: str) -> str:
    from bson import Decimal128, ObjectId
    from bson.datetime_ms import DatetimeMS

    if isinstance(value, ObjectId):
        return str(value)
    if isinstance(value, Decimal128):
        return format(value.to_decimal(), "f").replace(".", mark)
    if isinstance(value, DatetimeMS):  # a year that Python's dates do not have
        return f"{int(value)} ms"
    return bson_json(value)


def bson_json(value: Any) -> str:
    from bson import json_util

    options = json_util.RELAXED_JSON_OPTIONS
    try:
        # What json_util.dumps does, without copying every document first: only values that JSON lacks are converted.
        return json.dumps(
            value,
            default=lambda special: json_util.default(special, options),
            ensure_ascii=False,
            allow_nan=False,
            separators=(",", ":"),
        )
    except ValueError:  # NaN or Infinity
        return json_util.dumps(value, json_options=options, ensure_ascii=False, separators=(",", ":"))
