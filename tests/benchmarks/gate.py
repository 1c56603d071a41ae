"""What the gate costs: thirty rules over a million rows beside a plain scan of the same columns, and how many Spark jobs.

`python -m tests.benchmarks.gate [--rows N]`. A day that passes is judged by what the step that made its rows has counted: here
a scan of its own counts it, and then Great Expectations judges, all in. A day that fails, or has changed since, is asked
rule by rule; what it takes to open Great Expectations' context, to build its graph of metrics and to store its results is
measured by the same thirty rules over ten rows.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from common.contracts import aggregates as agg
from common.contracts import suite
from common.contracts.contract import Column, Contract
from common.contracts.expectations import Rule
from common.contracts.feature_table import Feature, Features
from common.quality import broken_rules
from common.quality.gx_check import judge_measured, run_rules
from common.quality.measured import Measured
from common.quality.measured_rules import MeasuredTable
from common.runtime.session import open_session
from common.runtime.settings import load_settings

ROUNDS = 7
FEW = 10
NUMBERS = [f"n{place}" for place in range(7)]
WORDS = [f"w{place}" for place in range(3)]
# What spark-defaults.conf says of each column that Python makes.
AS_FOR_JOBS = {"spark.python.sql.dataFrameDebugging.enabled": "false"}
KINDS = ["electronics", "clothing", "home", "food", "sports"]


def rules() -> list[Rule]:
    found = [Rule("ExpectColumnValuesToNotBeNull", {"column": name}) for name in (*NUMBERS, *WORDS)]
    found += [Rule("ExpectColumnValuesToBeBetween", {"column": name, "min_value": 0}) for name in NUMBERS]
    found += [Rule("ExpectColumnMeanToBeBetween", {"column": name, "min_value": 0}) for name in NUMBERS]
    found += [Rule("ExpectColumnValuesToBeInSet", {"column": name, "value_set": KINDS}) for name in WORDS]
    found += [Rule("ExpectColumnValuesToMatchRegex", {"column": name, "regex": "^[a-z]+$"}) for name in WORDS[:2]]
    return [*found, Rule("ExpectTableRowCountToBeBetween", {"min_value": 1})]


def contract() -> Contract:
    columns = [Column(name="id", type="long", required=True, description="")]
    columns += [Column(name=name, type="decimal(12,2)", description="") for name in NUMBERS]
    columns += [Column(name=name, type="string", description="") for name in WORDS]
    features = Features(version=1, entity="id", columns=(Feature("n0", agg.Pick("n0")),))
    return Contract(
        name="bench", description="", columns=tuple(columns), key=("id",), features=features, rules=tuple(rules())
    )


def judged(rows: DataFrame, declared: Contract, lake: str) -> None:
    """Counts what the rules need on a pass of its own, and lets Great Expectations judge that."""
    known = measured(rows, declared)
    assert judge_measured(MeasuredTable(rows.schema, (), known), rules(), "bench.rows", lake) is not None


def measured(rows: DataFrame, declared: Contract) -> Measured:
    """What is told by the rules here, without those that each contract implies."""
    implied = len(suite.rules_of(declared, "processed")) - len(rules())
    counts = {what: F.count_if(each) for what, each in broken_rules.conditions(declared, "processed").items()}
    found = {}
    for what, each in {**counts, **broken_rules.numbers(declared, "processed")}.items():
        kind, _, of = what.partition(" ")
        if kind != broken_rules.NULL and int(of) >= implied:
            found[f"{kind} {int(of) - implied}"] = each
        elif of in rows.columns:
            found[what] = each
    row = rows.agg(F.count(F.lit(1)).alias("rows"), *[each.alias(what) for what, each in found.items()]).first()
    assert row is not None
    values = row.asDict()
    return Measured.of(values.pop("rows"), values)


def table(spark: SparkSession, folder: str, count: int) -> DataFrame:
    kinds = F.array(*[F.lit(kind) for kind in KINDS])
    rows = spark.range(count).select(
        *[(F.rand(place) * 1000).cast("decimal(12,2)").alias(name) for place, name in enumerate(NUMBERS)],
        *[F.element_at(kinds, (F.rand(9 + place) * 5 + 1).cast("int")).alias(name) for place, name in enumerate(WORDS)],
    )
    rows.write.format("delta").save(folder)
    return spark.read.format("delta").load(folder)


def timed(spark: SparkSession, work: Callable[[], object], name: str) -> tuple[float, int]:
    """The median of some rounds, and the Spark jobs of one."""
    seconds = []
    for number in range(ROUNDS):
        group = f"{name} {number}"
        spark.sparkContext.setJobGroup(group, group)
        started = time.monotonic()
        work()
        seconds.append(time.monotonic() - started)
    return median(seconds), len(spark.sparkContext.statusTracker().getJobIdsForGroup(group))


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--rows", type=int, default=1_000_000)
    given = arguments.parse_args()
    settings = load_settings("local")
    settings = settings.model_copy(update={"spark": {**settings.spark, **AS_FOR_JOBS}})
    spark = open_session(settings, "gate")
    with tempfile.TemporaryDirectory() as folder:
        rows = table(spark, f"{folder}/table", given.rows)
        many, lake = rules(), str(Path(folder) / "lake")
        assert len(many) == 30
        scan, scan_jobs = timed(
            spark, lambda: rows.agg(*[F.max(name).alias(name) for name in rows.columns]).collect(), "scan"
        )
        declared = contract()
        known, known_jobs = timed(spark, lambda: judged(rows, declared, lake), "judged")
        gate, gate_jobs = timed(spark, lambda: run_rules(rows, many, "bench.rows", lake, number=given.rows), "gate")
        few = table(spark, f"{folder}/few", FEW)
        start, _ = timed(spark, lambda: run_rules(few, many, "bench.rows", lake, number=FEW), "few")
    print(f"plain scan            {scan:6.2f} s  {scan_jobs} Spark jobs")
    print(f"30 rules, counted     {known:6.2f} s  {known_jobs} Spark jobs")
    print(f"30 rules, asked       {gate:6.2f} s  {gate_jobs} Spark jobs")
    print(f"30 rules over 10 rows {start:6.2f} s")
    print(
        f"30 rules / plain scan: counted {known / scan:.2f}, asked {gate / scan:.2f}, of that {start / scan:.2f} to start"
    )


if __name__ == "__main__":
    main()
