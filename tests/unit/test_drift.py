"""How far a day is from its reference, against what SciPy says of the values themselves."""

from collections import Counter
from datetime import date

import numpy as np
import pytest
from scipy.spatial.distance import jensenshannon
from scipy.stats import chi2, ks_2samp

from common import drift
from common.profiles import QUANTILES, Profile

RNG = np.random.default_rng(7)


def numbers(values: np.ndarray) -> Profile:
    steps = [float(each) for each in np.quantile(values, QUANTILES)]
    return Profile(
        date(2026, 1, 5), "processed", "amount", "", "double", len(values), 0, len(values), "", "", 0, 0, steps, None
    )


def words(text: str) -> Profile:
    counts = Counter(text.split())
    top = [{"value": value, "count": count} for value, count in counts.items()]
    rows = counts.total()
    return Profile(
        date(2026, 1, 5), "processed", "kind", "", "string", rows, 0, len(counts), "", "", None, None, None, top
    )


def stability(reference: list[Profile], day: Profile) -> float:
    found = drift.shares(reference, day)
    assert found is not None
    return drift.psi(found, drift.sizes(reference, day))


def test_the_same_days_are_no_distance_apart() -> None:
    assert stability([words("a a b")], words("a a b")) == 0
    same = numbers(RNG.normal(size=5000))
    assert stability([same], same) == pytest.approx(0, abs=1e-9)


def test_psi_of_values_is_its_textbook_sum() -> None:
    expected = (0.5 - 0.75) * np.log(0.5 / 0.75) + (0.5 - 0.25) * np.log(0.5 / 0.25)
    assert stability([words("a a a b")], words("a b")) == pytest.approx(expected)


def test_a_rare_value_that_a_small_day_lacks_is_no_other_population() -> None:
    past, day = words("a " * 950 + "b " * 50), words("a " * 40)
    assert stability([past], day) < 0.1


def test_psi_of_numbers_is_near_that_of_the_values_themselves() -> None:
    past, now = RNG.normal(0, 1, 20_000), RNG.normal(0.7, 1.3, 20_000)
    edges = [-np.inf, *np.quantile(past, np.linspace(0, 1, drift.BINS + 1)[1:-1]), np.inf]
    shares = [np.histogram(each, edges)[0] / len(each) for each in (past, now)]
    exact = float(np.sum((shares[1] - shares[0]) * np.log(shares[1] / shares[0])))
    assert stability([numbers(past)], numbers(now)) == pytest.approx(exact, rel=0.05)


def test_a_reference_of_several_days_is_their_mixture() -> None:
    days = [RNG.normal(mean, 1, 10_000) for mean in (0, 2)]
    whole = numbers(np.concatenate(days))
    assert stability([numbers(each) for each in days], whole) < 0.01
    assert stability([words("a a"), words("b b")], words("a b")) == 0


def test_numbers_with_many_equal_values_are_compared_right() -> None:
    past, now = RNG.integers(0, 30, 5000).astype(float), RNG.integers(0, 30, 5000).astype(float)
    assert stability([numbers(past)], numbers(now)) < 0.05
    assert stability([numbers(past)], numbers(np.full(5000, 7.0))) > 1


def test_the_other_distances_are_those_of_scipy() -> None:
    found = drift.shares([words("a a a b c")], words("a b b b c d"))
    assert found is not None
    past, now = zip(*found.values(), strict=True)
    assert drift.jensen_shannon(found) == pytest.approx(jensenshannon(past, now, base=2))
    before, after = RNG.normal(0, 1, 20_000), RNG.normal(0.5, 1, 20_000)
    side_by_side = drift.shares([numbers(before)], numbers(after))
    assert side_by_side is not None
    assert drift.kolmogorov_smirnov(side_by_side) == pytest.approx(ks_2samp(before, after).statistic, abs=0.02)


def test_small_samples_of_one_population_stay_within_what_chance_gives() -> None:
    population = RNG.normal(size=100_000)
    past = [numbers(RNG.choice(population, 200)) for _ in range(14)]
    over = 0
    for _ in range(300):
        day = numbers(RNG.choice(population, 200))
        found = drift.shares(past, day)
        assert found is not None
        sizes = drift.sizes(past, day)
        over += drift.psi(found, sizes) > 0.25 + drift.chance(found, sizes)
    assert over == 0
    found = drift.shares(past, past[0])
    assert found is not None
    exact = chi2.ppf(0.999, len(found) - 1) * (1 / 2800 + 1 / 200)
    assert drift.chance(found, drift.sizes(past, past[0])) == pytest.approx(exact, rel=0.02)


def test_days_pooled_are_one_day_of_all_their_rows() -> None:
    assert drift.pooled([words("a b"), words("b c c")]).counts == {"a": 1, "b": 2, "c": 2}
    assert drift.pooled([words("a b"), words("b c c")]).rows == 5
