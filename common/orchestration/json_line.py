"""The JSON line of a range of days, and of several datasets."""

from __future__ import annotations

from common.orchestration.job import Line


def summary(ds: str, lines: list[Line]) -> Line:
    """The line of one day as it is; of a range, the sums and each day's outcome."""
    if len(lines) == 1:
        return lines[0]
    counts: dict[str, int] = {}
    for line in lines:
        for name, count in line["counts"].items():
            counts[name] = counts.get(name, 0) + count
    outcomes = {line["ds"]: line["outcome"] for line in lines}
    stale = sorted({day for line in lines for day in line.get("stale", [])} - {day for day in _later_run(lines)})
    first = next((line for line in lines if "dataset" in line), lines[0])
    return {
        "job": first["job"],
        "dataset": first.get("dataset"),
        "ds": ds,
        "outcome": "nothing" if set(outcomes.values()) <= {"nothing"} else "done",
        "counts": counts,
        "read": _last(lines, "read"),
        "written": _last(lines, "written"),
        "stale": stale,
        "days": outcomes,
        **_warned(lines),
        **_missed(lines),
    }


def side_by_side(lines: dict[str, Line]) -> Line:
    """One line for several datasets: each one's own, and what came of all."""
    first, *_ = lines.values()
    outcomes = {line["outcome"] for line in lines.values()}
    missing = {name: line for name, line in lines.items() if "missing" in line}
    said = {
        "missing": sorted({day for line in missing.values() for day in line["missing"]}),
        "message": "; ".join(f"{name}: {line['message']}" for name, line in missing.items()),
    }
    return {
        "job": first["job"],
        "dataset": list(lines),
        "ds": first["ds"],
        "outcome": "nothing" if outcomes == {"nothing"} else "done",
        "datasets": lines,
        **(said if missing else {}),
    }


def _missed(lines: list[Line]) -> Line:
    missing = [line for line in lines if line["outcome"] == "missing"]
    if not missing:
        return {}
    days = [line["ds"] for line in missing]
    others = "; the others have run" if len(missing) < len(lines) else ""
    message = (
        f"{len(missing)} of {len(lines)} days are missing: {', '.join(days)}{others}. First: {missing[0]['message']}"
    )
    return {"missing": days, "message": message}


def _warned(lines: list[Line]) -> Line:
    """A day on which nothing was new has nothing new to warn of."""
    new = [line for line in lines if line["outcome"] != "nothing"]
    warnings = [{**rule, "ds": line["ds"]} for line in new for rule in line.get("warnings", [])]
    return {"warnings": warnings} if warnings else {}


def _later_run(lines: list[Line]) -> set[str]:
    """Days that an earlier day of the range made stale, and that then ran themselves."""
    ran: set[str] = set()
    for place, line in enumerate(lines):
        ran |= {day for day in line.get("stale", []) if day in {later["ds"] for later in lines[place + 1 :]}}
    return ran


def _last(lines: list[Line], name: str) -> dict[str, int]:
    return {path: version for line in lines for path, version in line.get(name, {}).items()}
