"""How long one row takes from the online store: `python -m tests.benchmarks.online [ADDRESS]`, else a new SQLite file."""

import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa

from common.online.agreement import compare_with_offline
from common.online.connect import open_store
from common.online.serving import Server
from common.training.fitting import fit
from common.training.steps import Clip, Impute, OneHot, Standard

VIEW, ENTITIES, GETS, BATCH = "benchmark_v1", 200_000, 20_000, 20_000
MONEY = pa.decimal128(22, 2)
SCHEMA = pa.schema(
    {
        "ds": pa.date32(),
        "user_id": pa.int64(),
        **dict.fromkeys(("spend_7d", "spend_30d", "max_purchase_30d"), MONEY),
        **dict.fromkeys(("purchases_7d", "purchases_30d", "categories_30d"), pa.int64()),
        **dict.fromkeys(("active_days_30d", "days_since_last", "age"), pa.int32()),
        **dict.fromkeys(("avg_purchase_30d", "weekend_share_30d", "spend_share_7d"), pa.float64()),
        "favourite_category_30d": pa.string(),
    }
)
MADE: dict[pa.DataType, Callable[[random.Random], Any]] = {
    MONEY: lambda rng: Decimal(rng.randrange(1_000_000)) / 100,
    pa.int64(): lambda rng: rng.randrange(50),
    pa.int32(): lambda rng: rng.choice([None, *range(1, 31)]),
    pa.float64(): random.Random.random,
    pa.string(): lambda rng: rng.choice(["electronics", "clothing", "home", "food", "sports"]),
    pa.date32(): lambda rng: date(2026, 1, 5),
}
STEPS = (
    Impute("age", by="median"),
    Clip("spend_30d", low=0.0, high=5_000.0),
    Standard("spend_30d"),
    OneHot("favourite_category_30d"),
)


def batches() -> Iterator[pa.RecordBatch]:
    rng = random.Random(7)
    for start in range(0, ENTITIES, BATCH):
        rows = [{field.name: MADE[field.type](rng) for field in SCHEMA} for _ in range(BATCH)]
        yield pa.RecordBatch.from_pylist(
            [row | {"user_id": start + place} for place, row in enumerate(rows)], schema=SCHEMA
        )


def milliseconds(ask: Callable[[int], Any]) -> str:
    keys = random.Random(11).choices(range(ENTITIES), k=GETS)
    took = []
    for key in keys:
        start = time.perf_counter()
        ask(key)
        took.append((time.perf_counter() - start) * 1000)
    took.sort()
    return f"p50 {took[GETS // 2]:.3f} ms, p99 {took[GETS * 99 // 100]:.3f} ms, longest {took[-1]:.1f} ms"


def main(address: str) -> None:
    store, made = open_store(address), list(batches())
    for again in ("the first load", "a load over it"):
        start = time.perf_counter()
        store.load(VIEW, "user_id", made, {"version": 1, "entity_type": "long"})
        print(f"{again}: {time.perf_counter() - start:.1f} s for {ENTITIES:,} entities")
    print(f"a get: {milliseconds(lambda key: store.get(VIEW, key))}")
    fitted = fit(STEPS, pa.Table.from_batches(made[:1]))
    server = Server(store, VIEW, fitted)
    print(f"a vector, {len(STEPS)} fitted steps applied: {milliseconds(server.vector)}")
    start = time.perf_counter()
    found = compare_with_offline(store, VIEW, made)
    print(f"compared in {time.perf_counter() - start:.1f} s: {found.agreeing:,} of {found.total:,} agree")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        main(sys.argv[1] if len(sys.argv) > 1 else f"sqlite:///{Path(folder) / 'online.db'}")
        if len(sys.argv) == 1:
            print(f"{sum(each.stat().st_size for each in Path(folder).iterdir()) / 1e6:.0f} MB on disk")
