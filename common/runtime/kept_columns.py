"""Keep the columns that follow from a declaration alone: each part of a column is a call to the JVM."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, wraps
from typing import Any, TypeVar

Build = TypeVar("Build", bound=Callable[..., Any])
KEPT = 256


@dataclass(frozen=True, eq=False)
class _Same:
    """Equal to itself alone: equal declarations may be written differently, as 0 and 0.0 in the name of a reason."""

    declaration: Any

    def __hash__(self) -> int:
        return id(self.declaration)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and other.declaration is self.declaration


def once_a_declaration(build: Build) -> Build:
    """Call the function once for each declaration, its first argument, and each value of the others."""

    @lru_cache(maxsize=KEPT)
    def kept(same: _Same, *others: Any) -> Any:
        return build(same.declaration, *others)

    @wraps(build)
    def built(declaration: Any, *others: Any) -> Any:
        return kept(_Same(declaration), *others)

    return built  # type: ignore[return-value]
