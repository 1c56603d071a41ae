"""The published feature tables. Needs no Spark.

>>> from common.published import Lake
>>> Lake("data/lake").features("purchases").at().pandas(ds="2026-01-01", columns=["user_id", "spend"])
   user_id  spend
0        1  10.00
1        2  20.00
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from common.published.catalog import Lake

__all__ = ["Lake"]


def __getattr__(name: str) -> Any:
    """Import `Lake` on first use, so that importing another module of this package does not load its libraries."""
    if name == "Lake":
        from common.published.catalog import Lake

        return Lake
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
