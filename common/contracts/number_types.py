"""The types that are numbers, and what their sums need."""

from __future__ import annotations

EXACT = ("int", "long", "decimal")
NUMERIC = (*EXACT, "double")


def sum_type(type_: str) -> str:
    """Return a type wide enough for an exact sum: decimals gain ten digits, integers become long."""
    if type_.startswith("decimal"):
        precision, scale = (int(part) for part in type_[8:-1].split(","))
        return f"decimal({min(38, precision + 10)},{scale})"
    return "double" if type_ == "double" else "long"
