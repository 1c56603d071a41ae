"""The row counts of a day as people see them, the same everywhere."""

from __future__ import annotations

from collections.abc import Mapping

# What is shown -> the jobs that count it, and their counts that it adds up.
# landed = accepted + quarantined + duplicates, once the day was cleaned; late rows are accepted ones.
SHOWN: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "landed": (("ingest",), ("landed",)),
    "accepted": (("clean",), ("accepted", "late")),
    "quarantined": (("ingest", "clean"), ("quarantined",)),
    "duplicates": (("clean",), ("duplicates", "superseded")),
    "late": (("clean",), ("late",)),
    "features": (("features",), ("features",)),
    "published": (("publish",), ("rows",)),
}


def day_count(shown: str, counts: Mapping[str, Mapping[str, int]]) -> int | None:
    """Add up a day's counts by job; None if none of those jobs has run."""
    jobs, names = SHOWN[shown]
    recorded = [counts[job] for job in jobs if job in counts]
    return sum(job_counts.get(name, 0) for job_counts in recorded for name in names) if recorded else None
