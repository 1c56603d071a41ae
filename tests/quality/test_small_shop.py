"""A small shop: few rows a day, long-tailed values. Its days differ by chance alone, and nobody is warned."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest

from common.contracts.expectations import Drift
from common.quality import drift, profiles
from common.quality.profiles import QUANTILES, TOP, Profile
from common.quality.result import CheckResult
from tests.support.play_lake import PlayLake

FIRST, DAYS = date(2026, 1, 5), 23
SEEDS = (0, 1, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (2, 3)))
EMPTY = Profile(FIRST, "processed", "", "", "", 0, 0, 0, None, None, None, None, None, None)


def words(day: date, column: str, values: list[str]) -> Profile:
    counts = Counter(value for value in values if value)
    top = [{"value": value, "count": count} for value, count in counts.most_common(TOP)]
    nulls = len(values) - counts.total()
    return replace(
        EMPTY, ds=day, column=column, type="string", rows=len(values), nulls=nulls, distinct=len(counts), top=top
    )


def numbers(day: date, column: str, values: np.ndarray) -> Profile:
    steps = [float(step) for step in np.quantile(values, QUANTILES)]
    return replace(EMPTY, ds=day, column=column, type="double", rows=len(values), distinct=len(values), quantiles=steps)


def shop(seed: int, countries: int = 40) -> Iterator[tuple[date, list[Profile]]]:
    """The profiles of its days: 15 to 60 rows, thousands of products, a few countries that are common."""
    rng = np.random.default_rng(seed)
    for number in range(DAYS):
        day, rows = FIRST + timedelta(days=number), int(rng.integers(15, 60))
        codes, places = np.minimum(rng.zipf(1.4, rows), 4000), np.minimum(rng.zipf(1.8, rows), countries)
        notes = [f"note {rng.integers(300)}" if rng.random() < 0.1 else "" for _ in range(rows)]
        yield (
            day,
            [
                words(day, "code", [f"product {code}" for code in codes]),
                words(day, "country", [f"country {place}" for place in places]),
                words(day, "note", notes),
                numbers(day, "price", np.round(rng.lognormal(1, 1, rows), 2)),
                numbers(day, "pieces", rng.geometric(0.2, rows).astype(float)),
            ],
        )


def alarms(root: Path, days: Iterator[tuple[date, list[Profile]]]) -> list[tuple[date, CheckResult]]:
    lake = PlayLake(root)
    raised: list[tuple[date, CheckResult]] = []
    for day, measured in days:
        run = lake.plan("validate", str(day))
        contract = replace(run.contract, drift=Drift(days=7))
        run = replace(run, dataset=replace(run.dataset, contract=contract))
        raised += [(day, result) for result in drift.drifted(run, "processed", measured) if not result.success]
        profiles.keep(run, "processed", measured)
    return raised


@pytest.mark.parametrize("seed", SEEDS)
def test_chance_alone_warns_nobody(tmp_path: Path, seed: int) -> None:
    assert [(str(day), result.expectation, result.column) for day, result in alarms(tmp_path, shop(seed))] == []


def test_a_new_currency_in_a_small_shop_is_told(tmp_path: Path) -> None:
    """A column that always had two values has a third: no long tail explains it."""
    days = [(FIRST + timedelta(days=number), ["EUR"] * 20 + ["USD"] * 10) for number in range(DAYS)]
    days[-1] = (days[-1][0], ["EUR"] * 20 + ["USD"] * 9 + ["XXX"])
    raised = alarms(tmp_path, ((day, [words(day, "currency", values)]) for day, values in days))
    assert [(day, result.expectation) for day, result in raised] == [(days[-1][0], "NewValuesToBeAtMost(0)")]


def receipts(seed: int) -> Iterator[tuple[date, list[Profile]]]:
    """Three times as many rows at the weekend, and two columns of numbers that never come twice."""
    rng = np.random.default_rng(seed)
    for number in range(DAYS):
        day = FIRST + timedelta(days=number)
        rows = int(rng.integers(5, 20)) * (3 if day.weekday() >= 5 else 1)
        halves = [f"{number}-{row}" if rng.random() < 0.5 else "" for row in range(rows)]
        yield day, [words(day, "receipt", [f"{number}-{row}" for row in range(rows)]), words(day, "voucher", halves)]


@pytest.mark.parametrize("seed", SEEDS)
def test_values_that_never_recur_warn_nobody(tmp_path: Path, seed: int) -> None:
    assert [(str(day), result.expectation, result.column) for day, result in alarms(tmp_path, receipts(seed))] == []
