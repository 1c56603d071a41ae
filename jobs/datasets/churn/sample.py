"""A seeded customer base, complete on every day: `python -m jobs.datasets.churn.sample --out LANDING`."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import date

from common.sources.files.sample_files import FIRST_DAY, Row, main
from jobs.datasets.churn.contract import CONTRACT

PAYMENTS = ("electronic check", "mailed check", "bank transfer", "credit card")
COLUMNS = [column.name for column in CONTRACT.columns]


def generate(ds: date, rows: int, seed: int, dirt: bool) -> tuple[Iterator[Row], list[str]]:
    return _rows(ds, rows, seed, dirt), [f"c{ds:%Y%m%d},Female"] if dirt else []


def _rows(ds: date, rows: int, seed: int, dirt: bool) -> Iterator[Row]:
    """The same customers every day; their tenure, bills and churn change."""
    rng = random.Random(f"{seed} {ds}")
    for number in range(rows):
        row = _customer(number, ds, seed)
        if not dirt or rng.random() >= 0.03:
            yield row
            continue
        yield from _dirty(rng, row)


def _customer(number: int, ds: date, seed: int) -> list[str | None]:
    who = random.Random(seed * 1_000_003 + number)
    tenure = who.randrange(2_000) + (ds - date.fromisoformat(FIRST_DAY)).days
    monthly = 18 + 100 * who.random()
    left = who.random() < 0.15 + 0.3 * (tenure < 200)
    return [
        f"c{number:06d}",
        who.choice(["Female", "Male"]),
        str(int(who.random() < 0.16)),
        who.choice(["Yes", "No"]),
        "Yes" if who.random() < 0.3 else "No",
        str(tenure),
        f"{monthly:.2f}",
        f"{monthly * (tenure // 30):.2f}" if tenure >= 30 else " ",
        who.choice(PAYMENTS),
        "Yes" if left else "No",
    ]


def _dirty(rng: random.Random, row: list[str | None]) -> Iterator[Row]:
    def but(**changed: str | None) -> Row:
        return [changed.get(name, value) for name, value in zip(COLUMNS, row, strict=True)]

    match rng.randrange(6):
        case 0:
            yield row
            yield row
        case 1:
            yield but(gender=" Female ")
        case 2:
            yield but(monthly_charges="-1")
        case 3:
            yield but(churn="maybe")
        case 4:
            yield but(customer_id=None)
        case _:
            yield but(tenure_days="1.5")


if __name__ == "__main__":
    main(CONTRACT.name, COLUMNS, generate)
