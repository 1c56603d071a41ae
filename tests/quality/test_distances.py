"""Distances between distributions, compared with SciPy on the raw values."""

import sys
from collections import Counter
from dataclasses import replace
from datetime import date

import numpy as np
import pytest
from scipy.spatial.distance import jensenshannon
from scipy.stats import chi2, ks_2samp

from common.quality import distances
from common.quality.profiles import QUANTILES, TOP, Profile

RNG = np.random.default_rng(7)


@pytest.fixture(autouse=True)
def seeded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Draws the same numbers in every test, whichever tests ran before it in this process."""
    monkeypatch.setattr(sys.modules[__name__], "RNG", np.random.default_rng(7))


def numbers(values: np.ndarray) -> Profile:
    steps = [float(each) for each in np.quantile(values, QUANTILES)]
    return Profile(
        date(2026, 1, 5), "processed", "amount", "", "double", len(values), 0, len(values), "", "", 0, 0, steps, None
    )


def words(text: str) -> Profile:
    counts = Counter(text.split())
    top = [{"value": value, "count": count} for value, count in counts.most_common(TOP)]
    rows = counts.total()
    return Profile(
        date(2026, 1, 5), "processed", "kind", "", "string", rows, 0, len(counts), "", "", None, None, None, top
    )


def stability(reference: list[Profile], day: Profile) -> float:
    found = distances.shares(reference, [day])
    assert found is not None
    return distances.psi(found, distances.sizes(reference, [day]))


def test_the_same_days_are_no_distance_apart() -> None:
    assert stability([words("a a b")], words("a a b")) == 0
    same = numbers(RNG.normal(size=5000))
    assert stability([same], same) == pytest.approx(0, abs=1e-9)


def test_psi_of_values_is_its_textbook_sum() -> None:
    expected = (0.5 - 0.75) * np.log(0.5 / 0.75) + (0.5 - 0.25) * np.log(0.5 / 0.25)
    assert stability([words("a a a b")], words("a b")) == pytest.approx(expected)


def test_a_rare_value_missing_on_a_small_day_is_no_drift() -> None:
    past, day = words("a " * 950 + "b " * 50), words("a " * 40)
    assert stability([past], day) < 0.1


def test_psi_of_numbers_is_near_that_of_the_values_themselves() -> None:
    past, now = RNG.normal(0, 1, 20_000), RNG.normal(0.7, 1.3, 20_000)
    edges = [-np.inf, *np.quantile(past, np.linspace(0, 1, distances.BINS + 1)[1:-1]), np.inf]
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
    found = distances.shares([words("a a a b c")], [words("a b b b c d")])
    assert found is not None
    past, now = zip(*found.values(), strict=True)
    assert distances.jensen_shannon(found) == pytest.approx(jensenshannon(past, now, base=2))
    before, after = RNG.normal(0, 1, 20_000), RNG.normal(0.5, 1, 20_000)
    exact = ks_2samp(before, after).statistic
    assert distances.kolmogorov_smirnov([numbers(before)], [numbers(after)]) == pytest.approx(exact, abs=0.005)
    assert distances.kolmogorov_smirnov([numbers(before)], [numbers(after + 100)]) == 1


def over_the_limits(past: list[Profile], day: Profile) -> set[str]:
    """The distances that exceed what chance gives once in a thousand times."""
    found, sizes = distances.shares(past, [day]), distances.sizes(past, [day])
    assert found is not None
    measured = {
        "psi": (distances.psi(found, sizes), distances.chance(found, sizes)),
        "js": (distances.jensen_shannon(found), distances.chance_jensen_shannon(found, sizes)),
    }
    if day.quantiles:
        measured["ks"] = (distances.kolmogorov_smirnov(past, [day]), distances.chance_kolmogorov_smirnov(sizes))
    return {name for name, (distance, limit) in measured.items() if distance > limit}


def test_small_samples_of_one_population_stay_within_chance() -> None:
    population = RNG.normal(size=100_000)
    past = [numbers(RNG.choice(population, 200)) for _ in range(14)]
    over = [over_the_limits(past, numbers(RNG.choice(population, 200))) for _ in range(300)]
    assert sum("psi" in each for each in over) + sum("ks" in each for each in over) <= 2
    found, sizes = distances.shares(past, past[:1]), distances.sizes(past, past[:1])
    assert found is not None
    exact = chi2.ppf(0.999, len(found) - 1) * (1 / 2800 + 1 / 200)
    assert distances.chance(found, sizes) == pytest.approx(exact, rel=0.02)


def drawn(*shares: float, count: int = 400) -> Profile:
    return words(" ".join(RNG.choice([f"v{place}" for place in range(len(shares))], count, p=shares)))


@pytest.mark.parametrize("kinds", [2, 5, 40, 60, 300])
def test_samples_stay_within_chance_for_any_number_of_values(kinds: int) -> None:
    shares = np.arange(kinds, 0, -1) / np.arange(kinds, 0, -1).sum()
    past = [drawn(*shares) for _ in range(14)]
    over = [over_the_limits(past, drawn(*shares)) for _ in range(200)]
    assert sum("psi" in each for each in over) <= 2
    assert sum("js" in each for each in over) <= 2


def many(prefix: str, count: int) -> Profile:
    return words(" ".join(f"{prefix}{number}" for number in range(count)))


def test_few_values_that_become_countless_are_far_apart() -> None:
    few = [words("card " * 50 + "cash " * 50)] * 14
    for ids in (many("id", 100), many("id", 3000), replace(many("id", 100), rows=40_000, top=[])):
        assert stability(few, ids) > 2, "further than any limit"
        assert stability([ids] * 14, few[0]) > 2
    found = distances.shares(few, [many("id", 3000)])
    assert found is not None
    assert found["card"][1] <= 2 / 3000
    assert found[None] == pytest.approx((0, 2950 / 3000), abs=0.05)


def test_unique_texts_are_no_distance_apart() -> None:
    assert stability([many(f"{day}-", 400) for day in range(14)], many("new-", 400)) == pytest.approx(0, abs=0.01)


def test_nan_lies_beyond_all_numbers() -> None:
    past = numbers(RNG.normal(size=1000))
    broken = [*(past.quantiles or [])[:60], *[float("nan")] * 41]
    assert stability([past], replace(past, quantiles=broken)) > 1
    unbounded = replace(past, quantiles=[float("-inf"), *(past.quantiles or [])[1:-1], float("inf")])
    assert stability([past], unbounded) < 0.05
    assert stability([unbounded], unbounded) == pytest.approx(0, abs=1e-9)


def test_a_share_may_vary_as_far_as_chance_does() -> None:
    past, now = RNG.binomial(2800, 0.05, 2000) / 2800, RNG.binomial(40, 0.05, 2000) / 40
    over = [abs(one - other) > distances.swing(one, other, (2800, 40)) for one, other in zip(past, now, strict=True)]
    assert sum(over) <= 40
    assert distances.swing(0.05, 0, (2800, 40)) > 0.05, "forty rows may lack what one in twenty has"
    assert distances.swing(0.05, 0, (2800, 400)) < 0.05, "four hundred may not"
