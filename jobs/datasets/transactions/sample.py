"""Seeded purchases with realistic errors: `python -m jobs.datasets.transactions.sample --out LANDING`."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import date, datetime, timedelta

from common.sources.files.sample_files import Row, main
from jobs.datasets.transactions.contract import CONTRACT

CATEGORIES = CONTRACT.column("category").values
PAYMENTS = CONTRACT.column("payment_method").values
COLUMNS = [column.name for column in CONTRACT.columns]
SECONDS_A_DAY = 86_400


def generate(ds: date, rows: int, seed: int, dirt: bool) -> tuple[Iterator[Row], list[str]]:
    rng = random.Random(f"{seed} {ds}")
    broken = [f"t{ds:%Y%m%d}-cut,17", f"t{ds:%Y%m%d}-long,1,30,9.99,{ds},food,card,extra"] if dirt else []
    return _rows(rng, ds, rows, dirt), broken


def _rows(rng: random.Random, ds: date, rows: int, dirt: bool) -> Iterator[Row]:
    users = max(5, rows // 10)
    for number in range(rows):
        row = _purchase(rng, ds, number, users)
        if not dirt or rng.random() >= 0.06:
            yield row
            continue
        yield from _dirty(rng, ds, row, number)


def _purchase(rng: random.Random, ds: date, number: int, users: int) -> list[str | None]:
    user = int(users * rng.random() ** 2)
    return [
        f"t{ds:%Y%m%d}-{number:07d}",
        str(user),
        str(18 + user % 60) if rng.random() < 0.9 else None,
        f"{1 + 400 * rng.random() ** 3:.2f}",
        _time(ds, number),
        rng.choice(CATEGORIES),
        rng.choice(PAYMENTS),
    ]


def _time(day: date, number: int) -> str:
    """Derives a purchase's time from its number, so that a correction can repeat it."""
    moment = datetime(day.year, day.month, day.day) + timedelta(seconds=number * 7919 % SECONDS_A_DAY)
    return f"{moment.isoformat()}Z"


def _dirty(rng: random.Random, ds: date, row: list[str | None], number: int) -> Iterator[Row]:
    """One of: late, sent twice, two versions on one day, corrected a day later, oddly formatted, or wrong."""

    def but(**changed: str | None) -> Row:
        return [changed.get(name, value) for name, value in zip(COLUMNS, row, strict=True)]

    yesterday = ds - timedelta(days=1)
    amount = f"{rng.random() * 100 + 1:.2f}"
    match rng.randrange(14):
        case 0 | 1 | 2:
            yield but(timestamp=_time(ds - timedelta(days=rng.randint(1, 6)), number))
        case 3 | 4:
            yield from (row, row)
        case 5:
            yield from (row, but(purchase_amount=amount))
        case 6 | 7:
            first = f"t{yesterday:%Y%m%d}-{number:07d}"
            yield but(transaction_id=first, timestamp=_time(yesterday, number), purchase_amount=amount)
        case 8:
            yield but(category=f" {(row[5] or '').upper()} ")
        case _:
            yield but(**_wrong(rng, ds, number))


def _wrong(rng: random.Random, ds: date, number: int) -> dict[str, str | None]:
    return rng.choice(
        [
            {"user_id": None},
            {"age": "200"},
            {"category": "toys"},
            {"purchase_amount": rng.choice(["12,50", "NaN", "Infinity", "-3.00", "0", "1e400", "100000.01", "abc"])},
            {"timestamp": rng.choice(["not a date", "2026-02-31T10:00:00Z", "0001-01-01T00:00:00Z", ""])},
            {"timestamp": _time(ds + timedelta(days=2), number)},
            {"timestamp": _time(ds - timedelta(days=30), number)},
        ]
    )


if __name__ == "__main__":
    main(CONTRACT.name, COLUMNS, generate)
