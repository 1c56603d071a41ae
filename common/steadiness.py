"""A day's profiles against those of a reference: what has drifted, column by column, and away from the label."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from common import drift, profiles, runs, training_store
from common.days import around
from common.profiles import EVERYBODY, Profile
from common.quality import EXAMPLES, Result
from common.rule import Drift

if TYPE_CHECKING:
    from common.run import Run

# A value that this share of the reference has is missed when nobody has it any more.
COMMON = 0.02
# The profiles of the reference, and that of the day.
Split = tuple[Sequence[Profile], Profile]


def drifted(run: Run, name: str, found: Sequence[Profile]) -> Iterator[Result]:
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
        side_by_side = drift.shares(before, day)
        if side_by_side is None or day.rows == day.nulls:
            continue
        yield _stability(rule, before, day, side_by_side)
        if day.counts is not None:
            yield from _values(rule, day, side_by_side)
    yield from _concepts(run, rule, past, labelled)


def _reference_profiles(run: Run, name: str, rule: Drift) -> list[Profile]:
    """Nothing before the reference is whole, and for a window of features not before the window was."""
    if rule.since is not None:
        return profiles.known(run, name, [rule.since])
    if rule.training_set is not None and name == "features":
        built = training_store.manifests(run.settings.lake, rule.training_set)
        return [profiles.from_json(each) for manifest in built[-1:] for each in manifest["profiles"]]
    days = around(run.ds, rule.days)[:-1]
    burn_in = run.contract.features.window_days if name == "features" else 0
    if burn_in:
        # A window holds other weekdays every day, but the same ones a week later.
        days = [run.ds - timedelta(weeks=back) for back in range(max(1, rule.days // 7), 0, -1)]
    first = min(runs.days(run.settings.lake, run.contract.name, "ingest"), default=run.ds)
    if days[0] < first + timedelta(days=burn_in):
        return []
    return profiles.known(run, name, days)


def _watched(run: Run, day: Profile) -> bool:
    """Keys differ every day, times move on, and of long texts no value comes twice."""
    contract = run.contract
    skipped = {*contract.key, contract.features.entity, "record_hash", "ds", "event_date", "arrived"}
    plain = day.type.partition("(")[0]
    return day.column not in skipped and plain not in ("date", "timestamp") and not day.column.startswith("ds_")


def _nulls(rule: Drift, before: Sequence[Profile], day: Profile) -> Result:
    past, now = drift.null_share(before), drift.null_share([day])
    return Result(
        kind="drift",
        expectation=f"NullShareToChangeByAtMost({rule.nulls:g})",
        column=day.column,
        severity=rule.severity,
        success=abs(now - past) <= rule.nulls,
        observed=round(now - past, 4),
        limit=rule.nulls,
    )


def _stability(rule: Drift, before: Sequence[Profile], day: Profile, found: drift.Shares) -> Result:
    sizes = drift.sizes(before, day)
    distance, limit = drift.psi(found, sizes), rule.psi + drift.chance(found, sizes)
    far = distance > limit
    more = [f"KS={drift.kolmogorov_smirnov(found):.3f}", f"JS={drift.jensen_shannon(found):.3f}"] if far else []
    return Result(
        kind="drift",
        expectation=f"PsiToBeAtMost({rule.psi:g})",
        column=day.column,
        severity=rule.severity,
        success=not far,
        observed=round(distance, 4),
        limit=round(limit, 4),
        examples=more,
    )


def _values(rule: Drift, day: Profile, found: drift.Shares) -> Iterator[Result]:
    new = [value for value, (past, now) in found.items() if not past and now]
    gone = [value for value, (past, now) in found.items() if past >= COMMON and not now]
    for expectation, values in ((f"NewValuesToBeAtMost({rule.new_values})", new), ("CommonValuesToStay", gone)):
        allowed = rule.new_values if values is new else 0
        yield Result(
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
) -> Iterator[Result]:
    """Whether a feature goes with the label as it did: by how much it tells of the label, and by what those with each
    label look like against their own past."""
    label = run.contract.label
    for (column, said), day in found.items():
        before = _of(past, column, said)
        if said == EVERYBODY or column == label or not before or not _watched(run, day) or day.rows == day.nulls:
            continue
        side_by_side = drift.shares(before, day)
        if side_by_side is not None:
            made = _stability(rule, before, day, side_by_side)
            yield replace(made, kind="concept", expectation=f"{made.expectation} where {label}={said}")
        without, past_without = found[(column, "0")], _of(past, column, "0")
        if said == "1" and past_without and without.rows > without.nulls:
            yield _information(rule, (before, day), (past_without, without))


def _of(past: Sequence[Profile], column: str, label: str) -> list[Profile]:
    return [each for each in past if (each.column, each.label) == (column, label)]


def _information(rule: Drift, having: Split, without: Split) -> Result:
    """Each split: the reference's profiles, and the day's."""
    (before_with, day_with), (before_without, day_without) = having, without
    sides = [(before_without, drift.pooled(before_with)), ([day_without], day_with)]
    (past, _), (now, chance) = (_told(*side) for side in sides)
    change = now - past
    return Result(
        kind="concept",
        expectation=f"InformationValueToChangeByAtMost({rule.psi:g})",
        column=day_with.column,
        severity=rule.severity,
        success=abs(change) <= rule.psi + chance,
        observed=round(change, 4),
        limit=round(rule.psi + chance, 4),
        examples=[f"was {past:.3f}, is {now:.3f}"],
    )


def _told(without: Sequence[Profile], having: Profile) -> tuple[float, float]:
    """How much the column tells of the label, and how much it would by chance."""
    found, sizes = drift.shares(without, having), drift.sizes(without, having)
    return (0.0, 0.0) if found is None else (drift.psi(found, sizes), drift.chance(found, sizes))
