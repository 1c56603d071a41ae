"""The inputs of a training set: days of published tables, each at one version, and labels."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from common.days import DAY, HOUR, kind_of
from common.errors import UsageError
from common.lake.content_hash import hash_parts
from common.lake.period_columns import literal
from common.published.catalog import Lake
from common.published.view import View
from common.training.labels import LabelRows, read_labels
from common.training.training_set import Labels, TrainingSet

if TYPE_CHECKING:
    from common.runtime.run import Run


@dataclass(frozen=True)
class Inputs:
    declared: TrainingSet
    days: tuple[date, ...]
    views: dict[str, View]  # by the table's name, as declared
    labels: LabelRows | None

    @property
    def versions(self) -> dict[str, int]:
        return {table: view.version for table, view in self.views.items()}

    @property
    def content(self) -> dict[str, str]:
        """A hash of the published days that are read, by table."""
        return {table: hash_parts(self._hashes(table, view)) for table, view in self.views.items()}

    @property
    def fingerprint(self) -> str:
        """Identifies the inputs by their content, not by table version: equal rows give an equal fingerprint."""
        labels = self.labels and self.labels.hash
        parts = [self.declared.identity, self.days[0], self.days[-1], self.content, labels]
        return hashlib.sha256(json.dumps(parts, default=str, sort_keys=True).encode()).hexdigest()[:16]

    @property
    def entity(self) -> str:
        examples = self.declared.examples
        return examples.entity if isinstance(examples, Labels) else self.views[examples.table].entity

    @property
    def every(self) -> str:
        """Whether the examples of a snapshot are of days or of hours."""
        examples = self.declared.examples
        return DAY if isinstance(examples, Labels) else self.views[examples.table].every

    def rows(self, run: Run, table: str) -> DataFrame:
        """The rows of the table that examples of these days can use."""
        stored = self.views[table].stored
        rows = run.spark.read.format("delta").option("versionAsOf", stored.version).load(stored.uri)
        return rows.where(F.col("ds").between(*map(literal, self._reach(table))))

    def _hashes(self, table: str, view: View) -> dict[str, str]:
        first, last = (str(day) for day in self._reach(table))
        return {day: facts["hash"] for day, facts in view.published.items() if first <= day <= last and facts["rows"]}

    def _reach(self, table: str) -> tuple[date, date]:
        return self.declared.reach(table, self.days[0], self.days[-1], self.views[table].every)


def inputs_of(days: Sequence[Run], declared: TrainingSet, labels: str | None) -> Inputs:
    examples = declared.examples
    if isinstance(examples, Labels) != (labels is not None):
        advice = "needs --labels, a file" if labels is None else "takes its labels from its table: leave --labels out"
        raise UsageError(f"training set {declared.name} {advice}")
    lake = Lake(days[0].settings.lake)
    views = {name: lake.features(name).at() for name in declared.tables}
    _require_whole_periods(declared, views)
    label_rows = None
    if isinstance(examples, Labels) and labels is not None:
        label_rows = read_labels(days[0], examples, labels, days[0].ds, days[-1].ds)
    return Inputs(declared, tuple(run.ds for run in days), views, label_rows)


def _require_whole_periods(declared: TrainingSet, views: dict[str, View]) -> None:
    """A row of a whole day is on neither side of an hour; labels have moments."""
    if isinstance(declared.examples, Labels) or views[declared.examples.table].every != DAY:
        return
    if hours := [str(end) for end in declared.split.ends if kind_of(end) == HOUR]:
        raise UsageError(
            f"training set {declared.name}: its split ends at {', '.join(hours)}, but the examples of "
            f"{declared.examples.table} are of days; expected days, such as date(2026, 1, 31)"
        )
