"""The types that are numbers, and what their sums need."""

from __future__ import annotations

EXACT = ("int", "long", "decimal")
NUMERIC = (*EXACT, "double")

# Nineteen digits more than a long has.
WIDE_INTEGER = "decimal(38,0)"


def sum_type(type_: str) -> str:
    """Return a type wide enough for an exact sum: decimals gain ten digits, int becomes long, long becomes a decimal."""
    if type_.startswith("decimal"):
        precision, scale = (int(part) for part in type_[8:-1].split(","))
        return f"decimal({min(38, precision + 10)},{scale})"
    return "long" if type_ == "int" else WIDE_INTEGER
