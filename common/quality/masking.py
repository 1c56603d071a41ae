"""Keep personal values out of logs, pages, results and profiles. Counts may be shown, values may not."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from common.contracts.contract import Contract
from common.contracts.sensitive import MASK, sensitive_names

# The fields of a Great Expectations result that hold no values. All other fields hold values, or derive from them.
COUNT_FIELD = re.compile(r"(element|unexpected|missing)_(count|percent)\w*")
# Expectations that read no values.
SHAPES = re.compile(r"expect_table_\w+|expect_column_to_exist|expect_column_values_to_be_(of_type|in_type_list)")
# Spark's error class; the text after it may quote a value.
ERROR_CLASS = re.compile(r"\[[A-Z0-9_.]+\]")


def shows(expectation: str, arguments: Mapping[str, Any], sensitive: frozenset[str]) -> bool:
    """Whether a result may hold personal values: it names a sensitive column, or runs a query of its own."""
    if SHAPES.fullmatch(expectation):
        return False
    values = [value for name, value in arguments.items() if name.startswith("column")]
    columns = {column for value in values for column in ([value] if isinstance(value, str) else value or [])}
    queries = any("query" in name for name in arguments)
    return bool(columns & sensitive) or (queries and bool(sensitive))


def counts_only(result: Mapping[str, Any]) -> dict[str, Any]:
    """Return the result with counts only; masks mark where values were."""
    masked = {name: value for name, value in result.items() if COUNT_FIELD.fullmatch(name)}
    if result.get("partial_unexpected_list"):
        masked["partial_unexpected_list"] = [MASK]
    if result.get("observed_value") is not None:
        masked["observed_value"] = MASK
    return masked


def class_only(raised: Mapping[str, Any]) -> dict[str, Any]:
    """Return Great Expectations' exception details with only the error class, at any nesting level."""
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
    """Mask the sensitive and the undeclared fields of a refused record; mask all of one that was never parsed."""
    sensitive = sensitive_names(contract, "raw")
    if not sensitive:
        return text
    try:
        fields = json.loads(text)
    except ValueError:
        return MASK
    if not isinstance(fields, dict):
        return MASK
    shown = {column.name for column in contract.columns} - sensitive

    def may_be_shown(name: str, value: object) -> bool:
        """Whether the field, under its own name or that of its source, is declared and not sensitive."""
        return value is None or (contract.own_name(name) in shown and not isinstance(value, dict | list))

    masked = {name: value if may_be_shown(name, value) else MASK for name, value in fields.items()}
    return json.dumps(masked, ensure_ascii=False, separators=(",", ":"))
