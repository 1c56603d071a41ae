"""Combine the JSON lines of several days, or of several datasets, into one."""

from __future__ import annotations

from common.orchestration.job import Line


def summary(ds: str, lines: list[Line]) -> Line:
    """Return the line of a single day unchanged; for a range, the summed counts and each day's outcome."""
    if len(lines) == 1:
        return lines[0]
    counts: dict[str, int] = {}
    for line in lines:
        for name, count in line["counts"].items():
            counts[name] = counts.get(name, 0) + count
    outcomes = {line["ds"]: line["outcome"] for line in lines}
    stale = sorted({day for line in lines for day in line.get("stale", [])} - _rerun_later(lines))
    first = next((line for line in lines if "dataset" in line), lines[0])
    return {
        "job": first["job"],
        "dataset": first.get("dataset"),
        "ds": ds,
        "outcome": _combined(set(outcomes.values())),
        "counts": counts,
        "read": _last_versions(lines, "read"),
        "written": _last_versions(lines, "written"),
        "stale": stale,
        "days": outcomes,
        **_warning_fields(lines),
        **_missing_fields(lines),
    }


def side_by_side(lines: dict[str, Line]) -> Line:
    """Return one line for several datasets: the combined outcome, and each dataset's line under `datasets`."""
    first, *_ = lines.values()
    outcomes = {line["outcome"] for line in lines.values()}
    missing = {name: line for name, line in lines.items() if "missing" in line}
    fields = {
        "missing": sorted({day for line in missing.values() for day in line["missing"]}),
        "message": "; ".join(f"{name}: {line['message']}" for name, line in missing.items()),
    }
    return {
        "job": first["job"],
        "dataset": list(lines),
        "ds": first["ds"],
        "outcome": _combined(outcomes),
        "datasets": lines,
        **(fields if missing else {}),
    }


def _combined(outcomes: set[str]) -> str:
    """Return one word for several outcomes; incomplete means that the source lacks something and the rest has run."""
    if "missing" in outcomes or "incomplete" in outcomes:
        return "missing" if outcomes == {"missing"} else "incomplete"
    return "nothing" if outcomes <= {"nothing", "closed"} else "done"


def _missing_fields(lines: list[Line]) -> Line:
    missing = [line for line in lines if line["outcome"] == "missing"]
    if not missing:
        return {}
    days = [line["ds"] for line in missing]
    others = "; the others have run" if len(missing) < len(lines) else ""
    message = (
        f"{len(missing)} of {len(lines)} days are missing: {', '.join(days)}{others}. First: {missing[0]['message']}"
    )
    return {"missing": days, "message": message}


def _warning_fields(lines: list[Line]) -> Line:
    """Return the warnings of the days that did something; an unchanged day has already reported its own."""
    changed = [line for line in lines if line["outcome"] != "nothing"]
    warnings = [{**warning, "ds": line["ds"]} for line in changed for warning in line.get("warnings", [])]
    return {"warnings": warnings} if warnings else {}


def _rerun_later(lines: list[Line]) -> set[str]:
    """Return the days that an earlier day of the range made stale and that ran afterwards."""
    rerun: set[str] = set()
    for index, line in enumerate(lines):
        rerun |= set(line.get("stale", [])) & {later["ds"] for later in lines[index + 1 :]}
    return rerun


def _last_versions(lines: list[Line], name: str) -> dict[str, int]:
    return {path: version for line in lines for path, version in line.get(name, {}).items()}
