"""Checks a part of the stack: `healthy.py [--wait SECONDS] URL [NAME.NAME=VALUE …]` compares values of its JSON answer.

Standard library only: it runs in every container and on the host.
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
    parser = argparse.ArgumentParser(prog="healthy.py", allow_abbrev=False)
    parser.add_argument("url")
    parser.add_argument("expected", nargs="*", metavar="NAME.NAME=VALUE")
    parser.add_argument("--wait", type=float, default=0, help="seconds to wait until all values are as expected")
    options = parser.parse_args()
    deadline = time.monotonic() + options.wait
    expected = dict(pair.split("=") for pair in options.expected)
    while problem := find_problem(options.url, expected):
        if time.monotonic() >= deadline:
            sys.exit(problem)
        time.sleep(1)


def find_problem(url: str, expected: dict[str, str]) -> str:
    try:
        with urllib.request.urlopen(url, timeout=5) as response:  # noqa: S310  (the caller chooses the address)
            answer: Any = json.load(response)
    except (OSError, ValueError) as error:
        return f"{url} does not answer: {error}"
    values = {name: reduce(lambda part, key: (part or {}).get(key), name.split("."), answer) for name in expected}
    return "; ".join(
        f"{url}: {name} is {values[name]}, {value} expected"
        for name, value in expected.items()
        if values[name] != value
    )


if __name__ == "__main__":
    main()
