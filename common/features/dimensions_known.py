"""What features look up in other datasets: for each entity and event date, as it was known before that period began."""

from __future__ import annotations

from dataclasses import replace

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from common.clean.as_of import all_versions
from common.contracts import datasets
from common.contracts.changes import DELETED, arrivals_until, changes_of, event_dates
from common.contracts.lookup import Lookup, lookups_of
from common.days import shifted
from common.lake.period_columns import later
from common.orchestration import admission
from common.orchestration.changes import Logs
from common.runtime.run import Run

SINCE, UNTIL, OTHER = "_since", "_until", "_other_entity"


def look_up(run: Run, partials: DataFrame) -> DataFrame:
    """Add the states of the lookups to partial rows; a row whose entity was not known gets nulls."""
    for dataset, rules in lookups_of(run.contract).items():
        known = _known(run, dataset, rules)
        day = F.col("event_date")
        then = (day > F.col(SINCE)) & (F.col(UNTIL).isNull() | (day <= F.col(UNTIL)))
        same = F.col(run.contract.features.entity) == F.col(OTHER)
        partials = partials.join(known, same & then, "left").drop(SINCE, UNTIL, OTHER)
    return partials


def _known(run: Run, dataset: str, rules: list[Lookup]) -> DataFrame:
    """The versions of the rows that were known before ds: each for the periods after SINCE, up to UNTIL."""
    other, back = (
        replace(run, dataset=datasets.load(dataset), ds=shifted(run.ds, -1), left_out=()),
        run.contract.lateness,
    )
    arrivals = arrivals_until(other.contract, other.ds, back)
    other = replace(other, left_out=admission.left_out(arrivals, Logs(other)))
    versions = all_versions(other, event_dates(other.contract, other.ds, back))
    if changes_of(other.contract):
        since, until = F.col("arrived"), F.col("superseded")
        versions = versions.where(~F.col(DELETED))
    else:
        since, until = F.col("event_date"), later(F.col("event_date"), F.lit(1), other.contract.every)
        versions = versions.where(F.col("superseded").isNull())
    states = {rule.state: F.col(rule.column).alias(rule.state) for rule in rules}
    entity = F.col(other.contract.features.entity).alias(OTHER)
    return versions.select(entity, since.alias(SINCE), until.alias(UNTIL), *states.values())
