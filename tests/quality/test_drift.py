"""Drift rules: which changes of a day's profiles are reported, and which are not."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from common.contracts.expectations import Drift, Severity
from common.errors import ContractDeclarationError
from common.quality import drift, profiles
from common.quality.profiles import TOP, Profile
from common.quality.result import CheckResult
from tests.support.play_lake import PlayLake
from tests.support.verdicts import keep_verdict

TODAY = date(2026, 1, 20)
WEEK = [TODAY - timedelta(days=back) for back in range(7, 0, -1)]
NOTHING = Profile(TODAY, "processed", "", "", "", 0, 0, 0, None, None, None, None, None, None)


def texts(column: str, values: str, times: int = 1, type_: str = "string") -> Profile:
    """`-` is null."""
    counts = Counter(values.split())
    nulls, kinds = counts.pop("-", 0), len(counts)
    top = [{"value": value, "count": count * times} for value, count in counts.most_common(TOP)]
    rows = (counts.total() + nulls) * times
    return replace(NOTHING, column=column, type=type_, rows=rows, nulls=nulls * times, distinct=kinds, top=top)


def numbers(column: str, low: float, high: float, rows: int = 1000) -> Profile:
    steps = [low + (high - low) * step / profiles.STEPS for step in range(profiles.STEPS + 1)]
    return replace(NOTHING, column=column, type="double", rows=rows, quantiles=steps)


def keep(lake: PlayLake, day: date, found: Sequence[Profile]) -> None:
    profiles.keep(lake.plan("validate", str(day)), "processed", [replace(each, ds=day) for each in found])


def judged(root: Path, before: Sequence[Profile], today: Sequence[Profile], **declared: Any) -> list[CheckResult]:
    """The drift results of a day after a week of days like `before`."""
    lake = PlayLake(root)
    for day in WEEK:
        keep(lake, day, before)
    return judge(lake, today, **declared)


def judge(lake: PlayLake, today: Sequence[Profile], **declared: Any) -> list[CheckResult]:
    run = lake.plan("validate", str(TODAY))
    contract = replace(run.contract, drift=Drift(**{"days": 7, **declared}))
    run = replace(run, dataset=replace(run.dataset, contract=contract))
    found = list(drift.drifted(run, "processed", today))
    json.dumps([each.facts() for each in found])  # results are stored as JSON
    return found


def alarms(results: Sequence[CheckResult]) -> dict[str, CheckResult]:
    return {f"{each.expectation} {each.column}": each for each in results if not each.success}


def test_a_column_that_fills_with_ids_is_drift(tmp_path: Path) -> None:
    ids = texts("kind", " ".join(f"id{number}" for number in range(400)))
    found = alarms(judged(tmp_path, [texts("kind", "card cash", 200)], [ids]))
    assert found.keys() == {
        "PsiToBeAtMost(0.25) kind",
        "NewValuesToBeAtMost(0) kind",
        "CommonValuesToStay kind",
    }
    assert found["CommonValuesToStay kind"].examples == ["card", "cash"]


def test_countless_values_that_become_one_value_are_drift(tmp_path: Path) -> None:
    ids = texts("kind", " ".join(f"id{number}" for number in range(400)))
    found = alarms(judged(tmp_path, [ids], [texts("kind", "id1", 400)]))
    assert found.keys() == {"PsiToBeAtMost(0.25) kind"}


def test_more_values_than_are_kept_are_neither_new_nor_gone(tmp_path: Path) -> None:
    """One row more or less decides which of them are among the stored top values."""
    kinds = [f"city{number}" for number in range(80)]
    before, today = " ".join([*kinds, *kinds[:50]]), " ".join([*kinds, *kinds[30:]])
    assert alarms(judged(tmp_path, [texts("city", before, 4)], [texts("city", today, 4)])) == {}


@pytest.mark.parametrize(
    ("before", "today", "told"),
    [
        ("true true false false", "true true false false", set()),
        ("true true false false", "true true true true", {"PsiToBeAtMost(0.25)", "CommonValuesToStay"}),
        ("true true true true", "true true false false", {"PsiToBeAtMost(0.25)"}),
    ],
    ids=["as it was", "always true now", "no longer always true"],
)
def test_yes_or_no_is_compared_like_any_value(tmp_path: Path, before: str, today: str, told: set[str]) -> None:
    def flags(values: str) -> Profile:
        profile = texts("flag", values, 100, "boolean")
        counts = {"true": 0, "false": 0, **profile.counts} if profile.counts else {}
        return replace(profile, top=[{"value": value, "count": count} for value, count in counts.items()])

    found = judged(tmp_path, [flags(before)], [flags(today)])
    assert len(found) > 2
    assert {each.expectation for each in found if not each.success} == told


def test_a_small_day_may_lack_a_value_or_have_one_more_null(tmp_path: Path) -> None:
    usual = texts("kind", "a " * 90 + "b " * 4 + "- " * 6, 10)
    assert alarms(judged(tmp_path, [usual], [texts("kind", "a a a a a a a -")])) == {}
    assert alarms(judged(tmp_path, [usual], [texts("kind", "a a - -")])) == {}


def test_a_day_of_many_rows_may_not(tmp_path: Path) -> None:
    usual = texts("kind", "a " * 90 + "b " * 4 + "- " * 6, 10)
    found = alarms(judged(tmp_path, [usual], [texts("kind", "a a a -", 200)]))
    assert found.keys() == {"CommonValuesToStay kind", "NullShareToChangeByAtMost(0.1) kind"}
    missing = found["NullShareToChangeByAtMost(0.1) kind"]
    assert missing.observed == pytest.approx(0.19)
    assert missing.limit == pytest.approx(0.13, abs=0.01), "the declared share plus what chance gives"


def test_the_other_distances_are_rules_where_they_are_declared(tmp_path: Path) -> None:
    before = [numbers("amount", 0, 10), texts("kind", "a b b b", 250)]
    today = [numbers("amount", 4, 14), texts("kind", "a a a b", 250)]
    silent = judged(tmp_path, before, today, psi=9)
    assert not any(each.expectation.startswith(("Ks", "Js")) for each in silent)
    found = alarms(judge(PlayLake(tmp_path), today, psi=9, ks=0.3, js=0.3, severity=Severity.ERROR))
    assert found.keys() == {"KsToBeAtMost(0.3) amount", "JsToBeAtMost(0.3) kind"}
    assert {each.severity for each in found.values()} == {Severity.ERROR}
    distance = found["KsToBeAtMost(0.3) amount"]
    assert distance.observed == pytest.approx(0.4, abs=0.01)
    assert distance.limit == pytest.approx(0.3 + 1.95 * (1 / 1000 + 1 / 7000) ** 0.5, abs=0.001)
    assert alarms(judge(PlayLake(tmp_path), before, ks=0.01, js=0.01)) == {}
    with pytest.raises(ContractDeclarationError, match=r"ks 1.5 is not in \(0, 1\)"):
        Drift(ks=1.5)


def test_a_fixed_day_is_the_only_reference(tmp_path: Path) -> None:
    """The days in between do not matter, nor does missing history before it."""
    lake, since = PlayLake(tmp_path), date(2025, 6, 1)
    keep(lake, since, [texts("kind", "a b", 200)])
    today = [texts("kind", "a a a a a a a b", 50)]
    for day in WEEK:
        keep(lake, day, today)
    assert alarms(judge(lake, today, since=since)).keys() == {"PsiToBeAtMost(0.25) kind"}
    assert judge(lake, today, since=date(2025, 6, 2)) == [], "nothing is known of that day"


def test_a_stopped_day_is_no_reference_for_later_ones(tmp_path: Path) -> None:
    good, bad = [texts("kind", "a b", 200)], [texts("kind", "c", 400)]
    lake = PlayLake(tmp_path)
    assert alarms(judged(tmp_path, good, good)) == {}
    for day in WEEK[1:]:
        keep(lake, day, bad)
        keep_verdict(lake, day, success=False)
    assert alarms(judge(lake, good)) == {}
    assert "NewValuesToBeAtMost(0) kind" in alarms(judge(lake, bad))
    for day in WEEK[1:]:
        keep_verdict(lake, day, success=True)
    assert "NewValuesToBeAtMost(0) kind" not in alarms(judge(lake, bad))
