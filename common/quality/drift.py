"""Compare a day's profiles with a reference: data drift by column, and concept drift against the label."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from common.contracts.checking.field_types import base_type
from common.contracts.expectations import Drift
from common.days import day_range, from_text, shifted
from common.lake import training_manifests
from common.lake.log import data_files
from common.orchestration import verdicts
from common.quality import distances, profiles
from common.quality.profiles import EVERYBODY, Profile
from common.quality.result import EXAMPLES, CheckResult

if TYPE_CHECKING:
    from common.runtime.run import Run

# The smallest share of the reference at which a vanished value is reported.
COMMON = 0.02
# The profiles of (reference, day).
Split = tuple[Sequence[Profile], Sequence[Profile]]


def drifted(run: Run, name: str, measured: Sequence[Profile]) -> Iterator[CheckResult]:
    """Check every profiled column of the day against the reference."""
    rule = run.contract.drift
    if rule is None:
        return
    past = _reference_profiles(run, name, rule)
    labelled = {(profile.column, profile.label): profile for profile in measured}
    for day in (profile for profile in measured if profile.label == EVERYBODY):
        before = _of(past, day.column, EVERYBODY)
        if not before or not _watched(run, day):
            continue
        yield _nulls(rule, before, day)
        pairs = distances.shares(before, [day])
        if pairs is None or day.rows == day.nulls:
            continue
        comparable = distances.dense(pairs, distances.sizes(before, [day]))
        yield _stability(rule, before, day, comparable)
        yield from _distances(rule, before, day, comparable)
        if day.top is not None:
            yield from _values(rule, before, day, pairs)
    yield from _concepts(run, rule, past, labelled)


def _reference_profiles(run: Run, name: str, rule: Drift) -> list[Profile]:
    """Return the reference profiles, without days that failed validation.

    Empty until the reference days are complete, for features including the window of the first one.
    """
    if rule.since is not None:
        return profiles.known(run, name, [rule.since])
    if rule.training_set is not None and name == "features":
        manifests = training_manifests.manifests(run.settings.lake, rule.training_set)
        return [profiles.from_json(fields) for manifest in manifests[-1:] for fields in manifest["profiles"]]
    days = day_range(run.ds, rule.days)[:-1]
    burn_in = run.contract.features.window_days if name == "features" else 0
    if burn_in:
        # The weekdays in a window repeat weekly, so compare with the same weekday only.
        days = [run.ds - timedelta(weeks=back) for back in range(max(1, rule.days // 7), 0, -1)]
    stored = data_files.partition_values(run.path(profiles.table_of(run.contract)), "ds")
    first = from_text(stored[0]) if stored else run.ds
    if days[0] < shifted(first, burn_in):
        return []
    # A day with only warnings still counts as a reference.
    judged = verdicts.read(run, name, days)
    return profiles.known(run, name, [day for day in days if day not in judged or judged[day].success])


def _watched(run: Run, day: Profile) -> bool:
    """Whether the column is checked for drift: not keys and times, whose values change every day."""
    contract = run.contract
    skipped = {*contract.key, contract.features.entity, "record_hash", "ds", "event_date", "arrived"}
    plain = base_type(day.type)
    return day.column not in skipped and plain not in ("date", "timestamp") and not day.column.startswith("ds_")


def _nulls(rule: Drift, before: Sequence[Profile], day: Profile) -> CheckResult:
    past, now = distances.null_share(before), distances.null_share([day])
    swing = distances.swing(past, now, (max(1, sum(profile.rows for profile in before)), max(1, day.rows)))
    expectation = f"NullShareToChangeByAtMost({rule.nulls:g})"
    return _measured(rule, day, expectation, now - past, rule.nulls + swing)


def _stability(rule: Drift, before: Sequence[Profile], day: Profile, pairs: distances.Shares) -> CheckResult:
    sizes = distances.sizes(before, [day])
    limit = rule.psi + distances.chance(pairs, sizes)
    return _measured(rule, day, f"PsiToBeAtMost({rule.psi:g})", distances.psi(pairs, sizes), limit)


def _distances(rule: Drift, before: Sequence[Profile], day: Profile, pairs: distances.Shares) -> Iterator[CheckResult]:
    """Check the declared distance: Kolmogorov-Smirnov for numbers, Jensen-Shannon for categories."""
    sizes = distances.sizes(before, [day])
    if day.top is None and rule.ks is not None:
        limit = rule.ks + distances.chance_kolmogorov_smirnov(sizes)
        yield _measured(rule, day, f"KsToBeAtMost({rule.ks:g})", distances.kolmogorov_smirnov(before, [day]), limit)
    if day.top is not None and rule.js is not None:
        limit = rule.js + distances.chance_jensen_shannon(pairs, sizes)
        yield _measured(rule, day, f"JsToBeAtMost({rule.js:g})", distances.jensen_shannon(pairs), limit)


def _measured(rule: Drift, day: Profile, expectation: str, distance: float, limit: float) -> CheckResult:
    """Build the result. `limit` is the declared limit plus the distance that sampling noise alone can cause."""
    return CheckResult(
        kind="drift",
        expectation=expectation,
        column=day.column,
        severity=rule.severity,
        success=abs(distance) <= limit,
        observed=round(distance, 4),
        limit=round(limit, 4),
    )


def _values(rule: Drift, before: Sequence[Profile], day: Profile, pairs: distances.Shares) -> Iterator[CheckResult]:
    """Check for values that are new, and for common values that are gone."""
    sizes, present = distances.sizes(before, [day]), {entry["value"] for entry in day.top or [] if entry["count"]}
    known = {entry["value"] for profile in before for entry in profile.top or []}
    listed = [(value, past, now) for value, (past, now) in pairs.items() if value is not None]
    new = [value for value, past, now in listed if not past and now and value not in known]
    # A day with few rows may lack a value by chance, so require more than the expected swing.
    gone = [
        value
        for value, past, now in listed
        if value not in present and past >= COMMON and past - now > distances.swing(past, now, sizes)
    ]
    unseen = rule.new_values + distances.chance_new(before, sizes)
    for expectation, values, allowed in (
        (f"NewValuesToBeAtMost({rule.new_values})", new, unseen),
        ("CommonValuesToStay", gone, 0),
    ):
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
    run: Run, rule: Drift, past: Sequence[Profile], labelled: dict[tuple[str, str], Profile]
) -> Iterator[CheckResult]:
    """Check concept drift: each feature's PSI among the rows of one label, and the change of its information value."""
    label = run.contract.label
    for (column, label_value), day in labelled.items():
        before = _of(past, column, label_value)
        if label_value == EVERYBODY or column == label or not before or not _watched(run, day) or day.rows == day.nulls:
            continue
        pairs = distances.shares(before, [day])
        if pairs is not None:
            result = _stability(rule, before, day, distances.dense(pairs, distances.sizes(before, [day])))
            yield replace(result, kind="concept", expectation=f"{result.expectation} where {label}={label_value}")
        without, past_without = labelled[(column, "0")], _of(past, column, "0")
        if label_value == "1" and past_without and without.rows > without.nulls:
            yield _information(rule, day.column, (before, [day]), (past_without, [without]))


def _of(past: Sequence[Profile], column: str, label: str) -> list[Profile]:
    return [profile for profile in past if (profile.column, profile.label) == (column, label)]


def _information(rule: Drift, column: str, having: Split, without: Split) -> CheckResult:
    """Check how far the information value of the column has moved."""
    (past, _), (now, chance) = (_information_value(*sides) for sides in zip(without, having, strict=True))
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


def _information_value(without: Sequence[Profile], having: Sequence[Profile]) -> tuple[float, float]:
    """Return the information value (the PSI between the rows of label 0 and label 1), and its value by chance."""
    pairs, sizes = distances.shares(without, having), distances.sizes(without, having)
    if pairs is None:
        return 0.0, 0.0
    pairs = distances.dense(pairs, sizes)
    return distances.psi(pairs, sizes), distances.chance(pairs, sizes)
