"""Compare two versions of the same rows and name the differences by column and key."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa

from common.lake import content_hash

EXAMPLES = 5
ROW = "the row itself"


@dataclass(frozen=True)
class RowDiff:
    """Column to the keys of the rows in which it differs."""

    columns: dict[str, list[str]]

    @property
    def words(self) -> str:
        return "; ".join(
            f"{name} of {len(keys)} rows, e.g. {', '.join(keys[:EXAMPLES])}"
            for name, keys in sorted(self.columns.items())
        )

    @property
    def facts(self) -> list[dict[str, object]]:
        return [{"column": name, "rows": len(keys), "examples": keys[:EXAMPLES]} for name, keys in self.columns.items()]


def diff_rows(before: pa.Table, after: pa.Table, key: Sequence[str]) -> RowDiff | None:
    """Return the differences, or None if both tables hold the same rows in any order."""
    if content_hash.hash_rows(before, key) == content_hash.hash_rows(after, key):
        return None
    one, other = _by_key(before, key), _by_key(after, key)
    differing: dict[str, list[str]] = defaultdict(list)
    for name in sorted(one.keys() | other.keys()):
        if name not in one or name not in other:
            differing[ROW].append(name)
            continue
        for column in one[name]:
            # As text, so that NaN equals NaN.
            if str(one[name][column]) != str(other[name].get(column)):
                differing[column].append(name)
    return RowDiff(dict(differing))


def _by_key(rows: pa.Table, key: Sequence[str]) -> dict[str, dict[str, object]]:
    return {"/".join(str(row[name]) for name in key): row for row in rows.to_pylist()}
