"""Two days of published mentions, as the hourly chain leaves them, without Spark."""

from __future__ import annotations

import math
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa

from common.contracts import layout
from common.days import day_range, from_text
from common.lake.snapshot import arrow_type
from jobs.datasets.mentions.contract import CONTRACT
from tests.support.published_tables import commit

EVIL = "</script><img src=x onerror=alert(1)> & co"
NEWEST = from_text("2026-01-05T13")
TABLE = layout.published(CONTRACT)


def publish_mentions(lake: Path, products: tuple[str, ...] = ("kettle one", EVIL), hours: int = 48) -> None:
    """Each product has a spike in the newest hour and nothing in one of the hours before; the second one's scores are pending."""
    shown = day_range(NEWEST, hours - 1)
    rows = [
        _row(str(hour), product, place, number, len(shown) - 1 - place)
        for place, hour in enumerate(shown)
        for number, product in enumerate(products)
        if len(shown) - 1 - place != 5
    ]
    schema = pa.schema([(name, arrow_type(type_)) for name, type_ in TABLE.columns])
    days = {str(hour): {"rows": len(products)} for hour in shown}
    books = {"job": "publish", "ds": str(NEWEST), "entity": "product", "days": days}
    commit(f"{lake}/{TABLE.path}", pa.Table.from_pylist(rows, schema), [*days], books)


def _row(hour: str, product: str, place: int, number: int, back: int) -> dict[str, Any]:
    usual = round((9 - 3 * number) * (1.3 - math.cos(place / 24 * 2 * math.pi)))
    count = usual if back else 50
    mood = round(0.5 * math.sin(place / 9) - 0.2 * number, 4)
    pending = 12 * (number == 1) if back < 3 else 0
    return {
        "ds": hour,
        "product": product,
        "mentions_1h": count,
        "mentions_24h": 24 * usual + count,
        "mentions_7d": 150 * usual + count,
        **{f"sentiment_{window}": mood for window in ("24h", "7d")},
        "sentiment_1h": None if pending else mood,
        **{f"negative_share_{window}": 0.2 + 0.1 * number for window in ("1h", "24h", "7d")},
        "mentions_1h_day_before": usual,
        "spike_1h": count / usual if usual else 0.0,
        "pending_7d": Decimal(pending),
    }
