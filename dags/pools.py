"""A pool for each table lets a backfill and the daily run take turns: `python -m dags.pools` prints them for
`airflow pools import`."""

from __future__ import annotations

import json

from dags.schedule import schedule

TABLES = ("raw", "processed", "features", "published")


def pool(dataset: str, table: str) -> str:
    return f"{dataset}_{table}"


def pools() -> dict[str, dict[str, object]]:
    return {
        pool(dataset, table): {
            "slots": daily.pool_slots,
            "description": f"Who writes {table}/{dataset}",
            "include_deferred": False,
        }
        for dataset, daily in schedule().datasets.items()
        for table in TABLES
    }


if __name__ == "__main__":
    print(json.dumps(pools(), indent=1))
