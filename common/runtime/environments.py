"""Which environments there are: the files conf/<env>.yml."""

from __future__ import annotations

import re
from pathlib import Path

from common.errors import UsageError
from common.names import did_you_mean

ROOT = Path(__file__).resolve().parents[2]
CONF = ROOT / "conf"


def environments() -> list[str]:
    return sorted(path.stem for path in CONF.glob("*.yml"))


def require_environment(env: str) -> None:
    if not re.fullmatch(r"[a-z][a-z0-9_-]*", env) or env not in environments():
        known = environments()
        raise UsageError(f"--env {env!r} is not known; expected one of: {', '.join(known)}{did_you_mean(env, known)}")
