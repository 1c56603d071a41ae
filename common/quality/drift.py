"""A day's profiles against those of a reference: what has drifted, column by column, and away from the label."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import TYPE_CHECKING

from common.contracts.expectations import Drift
from common.days import day_range
from common.lake import training_manifests
from common.lake.files import read_json
from common.orchestration import run_log
from common.quality import distances, profiles
from common.quality.profiles import EVERYBODY, Profile
from common.quality.result import EXAMPLES, CheckResult

if TYPE_CHECKING:
    from common.runtime.run import Run

# A value that this share of the reference has is missed when nobody has it any more.
COMMON = 0.02
# The profiles of the reference, and that of the day.
Split = tuple[Sequence[Profile], Sequence[Profile]]


def drifted(run: Run, name: str, found: Sequence[Profile]) -> Iterator[CheckResult]:
    """The day's profiles against those of the reference, column by column."""
    rule = run.contract.drift
    if rule is None:
        return
    past = _reference_profiles(run, name, rule)
    labelled = {(each.column, each.label): each for each in found}
    for day in (each for each in found if each.label == EVERYBODY):
        before = _of(past, day.column, EVERYBODY)
        if not before or not _watched(run, day):
            continue
        yield _nulls(rule, before, day)
        side_by_side = distances.shares(before, [day])
        if side_by_side is None or day.rows == day.nulls:
            continue
        yield _stability(rule, before, day, side_by_side)
        yield from _distances(rule, before, day, side_by_side)
        if day.top is not None:
            yield from _values(rule, before, day, side_by_side)
    yield from _concepts(run, rule, past, labelled)


def _reference_profiles(run: Run, name: str, rule: Drift) -> list[Profile]:
    """Nothing before the reference is whole, and for a window of features not before the window was. Days that were
    stopped are left out of it."""
    if rule.since is not None:
        return profiles.known(run, name, [rule.since])
    if rule.training_set is not None and name == "features":
        built = training_manifests.manifests(run.settings.lake, rule.training_set)
        return [profiles.from_json(each) for manifest in built[-1:] for each in manifest["profiles"]]
    days = day_range(run.ds, rule.days)[:-1]
    burn_in = run.contract.features.window_days if name == "features" else 0
    if burn_in:
        # A window holds other weekdays every day, but the same ones a week later.
        days = [run.ds - timedelta(weeks=back) for back in range(max(1, rule.days // 7), 0, -1)]
    first = min(run_log.days_run(run.settings.lake, run.contract.name, "ingest"), default=run.ds)
    if days[0] < first + timedelta(days=burn_in):
        return []
    return profiles.known(run, name, [day for day in days if not _stopped(run, name, day)])


def _stopped(run: Run, name: str, day: date) -> bool:
    """What was too bad to be read is no measure for what comes after it; a day that only warned is one."""
    verdict = read_json(run_log.results_place(run.settings.lake, run.contract.name, name, day)) or {}
    return verdict.get("success") is False


def _watched(run: Run, day: Profile) -> bool:
    """Keys differ every day, times move on, and of long texts no value comes twice."""
    contract = run.contract
    skipped = {*contract.key, contract.features.entity, "record_hash", "ds", "event_date", "arrived"}
    plain = day.type.partition("(")[0]
    return day.column not in skipped and plain not in ("date", "timestamp") and not day.column.startswith("ds_")


def _nulls(rule: Drift, before: Sequence[Profile], day: Profile) -> CheckResult:
    past, now = distances.null_share(before), distances.null_share([day])
    swing = distances.swing(past, now, (max(1, sum(each.rows for each in before)), max(1, day.rows)))
    change = f"NullShareToChangeByAtMost({rule.nulls:g})"
    return _measured(rule, day, change, now - past, rule.nulls + swing)


def _stability(rule: Drift, before: Sequence[Profile], day: Profile, found: distances.Shares) -> CheckResult:
    sizes = distances.sizes(before, [day])
    limit = rule.psi + distances.chance(found, sizes)
    return _measured(rule, day, f"PsiToBeAtMost({rule.psi:g})", distances.psi(found, sizes), limit)


def _distances(rule: Drift, before: Sequence[Profile], day: Profile, found: distances.Shares) -> Iterator[CheckResult]:
    """Of numbers and of values each has one of its own, where the contract declares it."""
    sizes = distances.sizes(before, [day])
    if day.top is None and rule.ks is not None:
        limit = rule.ks + distances.chance_kolmogorov_smirnov(sizes)
        yield _measured(rule, day, f"KsToBeAtMost({rule.ks:g})", distances.kolmogorov_smirnov(before, [day]), limit)
    if day.top is not None and rule.js is not None:
        limit = rule.js + distances.chance_jensen_shannon(found, sizes)
        yield _measured(rule, day, f"JsToBeAtMost({rule.js:g})", distances.jensen_shannon(found), limit)


def _measured(rule: Drift, day: Profile, expectation: str, distance: float, limit: float) -> CheckResult:
    """The limit is the declared one plus what chance gives two samples of one population."""
    return CheckResult(
        kind="drift",
        expectation=expectation,
        column=day.column,
        severity=rule.severity,
        success=abs(distance) <= limit,
        observed=round(distance, 4),
        limit=round(limit, 4),
    )


def _values(rule: Drift, before: Sequence[Profile], day: Profile, found: distances.Shares) -> Iterator[CheckResult]:
    sizes, there = distances.sizes(before, [day]), {each["value"] for each in day.top or [] if each["count"]}
    known = {each["value"] for profile in before for each in profile.top or []}
    named = [(value, past, now) for value, (past, now) in found.items() if value is not None]
    new = [value for value, past, now in named if not past and now and value not in known]
    # A day of few rows lacks a value by chance.
    gone = [
        value
        for value, past, now in named
        if value not in there and past >= COMMON and past - now > distances.swing(past, now, sizes)
    ]
    for expectation, values in ((f"NewValuesToBeAtMost({rule.new_values})", new), ("CommonValuesToStay", gone)):
        allowed = rule.new_values if values is new else 0
        yield CheckResult(
            kind="drift",
            expectation=expectation,
            column=day.column,
            severity=rule.severity,
            success=len(values) <= allowed,
            observed=len(values),
            limit=allowed,
            examples=sorted(values)[:EXAMPLES],
        )


def _concepts(
    run: Run, rule: Drift, past: Sequence[Profile], found: dict[tuple[str, str], Profile]
) -> Iterator[CheckResult]:
    """Whether a feature goes with the label as it did: by how much it tells of the label, and by what those with each
    label look like against their own past."""
    label = run.contract.label
    for (column, said), day in found.items():
        before = _of(past, column, said)
        if said == EVERYBODY or column == label or not before or not _watched(run, day) or day.rows == day.nulls:
            continue
        side_by_side = distances.shares(before, [day])
        if side_by_side is not None:
            made = _stability(rule, before, day, side_by_side)
            yield replace(made, kind="concept", expectation=f"{made.expectation} where {label}={said}")
        without, past_without = found[(column, "0")], _of(past, column, "0")
        if said == "1" and past_without and without.rows > without.nulls:
            yield _information(rule, day.column, (before, [day]), (past_without, [without]))


def _of(past: Sequence[Profile], column: str, label: str) -> list[Profile]:
    return [each for each in past if (each.column, each.label) == (column, label)]


def _information(rule: Drift, column: str, having: Split, without: Split) -> CheckResult:
    (past, _), (now, chance) = (_told(*sides) for sides in zip(without, having, strict=True))
    change = now - past
    return CheckResult(
        kind="concept",
        expectation=f"InformationValueToChangeByAtMost({rule.psi:g})",
        column=column,
        severity=rule.severity,
        success=abs(change) <= rule.psi + chance,
        observed=round(change, 4),
        limit=round(rule.psi + chance, 4),
        examples=[f"was {past:.3f}, is {now:.3f}"],
    )


def _told(without: Sequence[Profile], having: Sequence[Profile]) -> tuple[float, float]:
    """How much the column tells of the label, and how much it would by chance."""
    found, sizes = distances.shares(without, having), distances.sizes(without, having)
    return (0.0, 0.0) if found is None else (distances.psi(found, sizes), distances.chance(found, sizes))
