"""What is personal, and how it is kept out of logs, pages, results and profiles: how many may be told, never what."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from common.contracts.contract import Contract
from common.contracts.sensitive import sensitive_names

MASK = "(masked)"
# What a result of Great Expectations may say of personal values. All else in it is values, or is made of them.
TELLS_NO_VALUE = re.compile(r"(element|unexpected|missing)_(count|percent)\w*")
# Expectations that look at no value.
SHAPES = re.compile(r"expect_table_\w+|expect_column_to_exist|expect_column_values_to_be_(of_type|in_type_list)")
# Spark's name of an error; the text after it may quote a value.
ERROR_CLASS = re.compile(r"\[[A-Z0-9_.]+\]")


def shows(expectation: str, arguments: Mapping[str, Any], sensitive: frozenset[str]) -> bool:
    """Whether a result may hold personal values: those of a column that it names, or whatever a query of its own asks for."""
    if SHAPES.fullmatch(expectation):
        return False
    named = {name: value for name, value in arguments.items() if name.startswith("column")}
    columns = {each for value in named.values() for each in ([value] if isinstance(value, str) else value or [])}
    asks = any("query" in name for name in arguments)
    return bool(columns & sensitive) or (asks and bool(sensitive))


def counts_only(result: Mapping[str, Any]) -> dict[str, Any]:
    """A result without what it says of values; that it would have is still seen."""
    masked = {name: value for name, value in result.items() if TELLS_NO_VALUE.fullmatch(name)}
    if result.get("partial_unexpected_list"):
        masked["partial_unexpected_list"] = [MASK]
    if result.get("observed_value") is not None:
        masked["observed_value"] = MASK
    return masked


def class_only(raised: Mapping[str, Any]) -> dict[str, Any]:
    """What was raised, in each of the forms in which Great Expectations tells of it, without its words."""
    masked: dict[str, Any] = {}
    for name, value in raised.items():
        if isinstance(value, Mapping):
            masked[name] = class_only(value)
        elif name == "exception_message" and value:
            masked[name] = " ".join(dict.fromkeys(ERROR_CLASS.findall(str(value)))) or MASK
        elif name == "exception_traceback":
            masked[name] = None
        else:
            masked[name] = value
    return masked


def mask_record(contract: Contract, text: str) -> str:
    """A refused record, as it may be shown. One that was never taken apart may be personal anywhere."""
    sensitive = sensitive_names(contract, "raw")
    if not sensitive:
        return text
    try:
        fields = json.loads(text)
    except ValueError:
        return MASK
    if not isinstance(fields, dict):
        return MASK
    return json.dumps(
        {name: MASK if name in sensitive and value is not None else value for name, value in fields.items()},
        ensure_ascii=False,
        separators=(",", ":"),
    )
