"""The commands that error messages advise, written in one place."""

from __future__ import annotations

from datetime import date


def spark_submit(job: str, dataset: str, ds: date | str, **options: object) -> str:
    """`spark-submit jobs/<job>.py …`, as a person types it; an option that is True has no value."""
    flags = {f"--{name.replace('_', '-')}": value for name, value in options.items()}
    words = [flag if value is True else f"{flag} {value}" for flag, value in flags.items()]
    return " ".join(["spark-submit", f"jobs/{job}.py", f"--dataset {dataset}", f"--ds {ds}", *words])
