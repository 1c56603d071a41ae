"""Checks a part of the stack: `healthy.py [--wait SECONDS] URL [NAME.NAME=VALUE …]` of the JSON that it answers with.

Standard library only: it runs in every container, and beside them.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
import urllib.request
from functools import reduce
from typing import Any


def main() -> None:
    arguments = argparse.ArgumentParser(prog="healthy.py", allow_abbrev=False)
    arguments.add_argument("url")
    arguments.add_argument("expected", nargs="*", metavar="NAME.NAME=VALUE")
    arguments.add_argument("--wait", type=float, default=0, help="seconds to give it")
    given = arguments.parse_args()
    deadline = time.monotonic() + given.wait
    while wrong := what_is_wrong(given.url, dict(each.split("=") for each in given.expected)):
        if time.monotonic() >= deadline:
            sys.exit(wrong)
        time.sleep(1)


def what_is_wrong(url: str, expected: dict[str, str]) -> str:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310  (the caller chooses the address)
            said: Any = json.load(answer)
    except (OSError, ValueError) as error:
        return f"{url} does not answer: {error}"
    found = {name: reduce(lambda part, key: (part or {}).get(key), name.split("."), said) for name in expected}
    return "; ".join(
        f"{url}: {name} is {found[name]}, {value} expected" for name, value in expected.items() if found[name] != value
    )


if __name__ == "__main__":
    main()
