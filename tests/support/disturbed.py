"""A source to which something happens after its period was counted, and before it is read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from common.sources.rows import OpenedOnce
from common.sources.source import Period


def disturbed(declared: Any, opened: type[OpenedOnce], disturb: Callable[[], object]) -> Any:
    class Opened(opened):  # type: ignore[misc, valid-type]
        def read(self, *arguments: Any) -> Any:
            disturb()
            return super().read(*arguments)

    class Declared(type(declared)):  # type: ignore[misc]
        def open(self, period: Period) -> Opened:
            return Opened(self, period)

    return Declared(**vars(declared))
