"""An entity as one text, however a source writes it: `7`, ` +7 ` and, where the contract allows it, `7.0` are the same."""

from __future__ import annotations

import re

from common.contracts.column import Column
from common.contracts.contract import Contract
from common.errors import UsageError

# What separates the values of a record that could not be taken apart.
BETWEEN_VALUES = "[,;|\\t\\r\\n\"'{}\\[\\]:]"
SPACES = " \t\r\n\u00a0"
# What Spark's own cast of a number trims besides.
_CONTROLS = "".join(map(chr, range(33))) + "\x7f"
_BITS = {"int": 31, "long": 63}


def entity_column(contract: Contract) -> Column:
    """The column of the entity; raises if a record by itself does not tell whose it is."""
    column = contract.column(contract.features.entity)
    if column not in contract.columns or column.base_type not in ("string", *_BITS):
        raise UsageError(
            f"{contract.name}: whose a record is can't be told before it is cleaned, because its entity {column.name} is "
            f"{'derived' if column in contract.derived else column.type}; expected a column of the source, a string or a whole "
            "number. Nothing was touched"
        )
    return column


def canonical(column: Column, text: str | None) -> str | None:
    """The entity that the text stands for, as `clean` reads it; None if it is none."""
    trimmed = (text or "").strip(SPACES)
    if column.base_type == "string":
        return (trimmed.lower() if column.lower else trimmed) or None
    plain = _plain_number(column, trimmed).strip(_CONTROLS)
    if not re.fullmatch(r"[+-]?\d{1,40}", plain, re.ASCII):
        return None
    number, limit = int(plain), 1 << _BITS[column.base_type]
    return str(number) if -limit <= number < limit else None


def _plain_number(column: Column, text: str) -> str:
    if column.decimal != "." or column.thousands:
        mark, separator = re.escape(column.decimal), re.escape(column.thousands)
        whole = rf"(\d{{1,3}}({separator}\d{{3}})+|\d+)" if separator else r"\d+"
        if not re.match(rf"[+-]?({whole}({mark}\d*)?|{mark}\d+)([eE][+-]?\d+)?$", text, re.ASCII):
            return ""
        text = text.translate({ord(column.decimal): ".", **({ord(column.thousands): None} if separator else {})})
    return re.sub(r"^([+-]?\d+)\.0*$", r"\1", text, flags=re.ASCII) if column.integral else text
