"""What clean and features measure of the rows that they write, and the gate judges without reading them."""

from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from deltalake import write_deltalake
from pyspark.sql import DataFrame, SparkSession

from common.contracts import suite
from common.contracts.contract import Column, Contract
from common.contracts.expectations import Rule
from common.contracts.layout import processed
from common.errors import ContractViolationError
from common.orchestration import stages, staleness
from common.quality import broken_rules, measured
from common.quality.day_rows import DayRows
from common.quality.gx_check import judge_measured, run_rules
from common.quality.measured import Measured
from common.quality.measured_rules import MeasuredTable
from common.runtime.run import Run
from tests.support.job_line import line_of
from tests.support.play_lake import PlayLake
from tests.support.typed_here import typed_without_java

DAY, NEXT = "2026-01-05", "2026-01-06"


def asking(lake: PlayLake, ds: str, table: str) -> Run:
    return staleness.with_sources(stages.validation(table), lake.plan("validate", ds, table=table))


def read_again(lake: PlayLake, ds: str, table: str) -> Measured:
    run = asking(lake, ds, table)
    return measured.take(run, table, DayRows(run, table).frame)


def days(lake: PlayLake) -> None:
    """Corrections, a late row, copies, refused rows, and a day that is sent again once a later one has run."""
    lake.land(DAY, "transaction_id | user_id | age\na | 1 | 30\nb | 2 | -\nb | 2 | -\nc | 3 | 999")
    lake.day(DAY)
    corrected, late = f"a | 4 | {DAY}T11:00:00Z", f"e | 1 | {DAY}T12:00:00Z"
    lake.land(NEXT, f"transaction_id | user_id | timestamp\n{corrected}\nd | 5 | {NEXT}T09:00:00Z\n{late}")
    lake.day(NEXT)
    lake.land(DAY, "transaction_id | user_id | age\na | 1 | 31\nb | 2 | -\nf | 6 | 40")
    lake.day(DAY)


def test_what_was_measured_is_what_reading_the_rows_finds(lake: PlayLake) -> None:
    days(lake)
    for ds in (DAY, NEXT):
        for table in ("raw", "processed", "features"):
            known = measured.kept(asking(lake, ds, table), table)
            assert known == read_again(lake, ds, table), (ds, table)
    known = measured.kept(asking(lake, DAY, "processed"), "processed")
    assert known is not None
    assert (known.rows, known.nulls["age"], known.unique, set(known.broken.values())) == (3, 1, True, {0})


def test_measured_rows_are_judged_without_java(lake: PlayLake) -> None:
    lake.land(DAY, "transaction_id | age\na | 30\nb | -")
    lake.day(DAY)
    places = f"--lake {lake.lake_folder} --landing {lake.landing}"
    command = f"spark-submit jobs/validate.py --dataset transactions --ds {DAY} {places} --table"
    for code, printed, said in typed_without_java([f"{command} {name}" for name in ("raw", "processed", "features")]):
        assert code == 0, said
        assert line_of(printed)["outcome"] == "done"


@pytest.mark.parametrize("since", ["another program", "another contract", "another table", "rows left out"])
def test_rows_that_may_have_changed_are_read(one_made: PlayLake, since: str) -> None:
    lake = one_made
    run = asking(lake, DAY, "processed")
    assert measured.kept(run, "processed") is not None
    table = lake.table("processed/transactions")
    if since == "another program":
        write_deltalake(table, table.to_pyarrow_table().slice(0, 1), mode="append")
    if since == "another table":
        rows, path = table.to_pyarrow_table(), lake.lake_folder / "processed/transactions"
        path.rename(lake.root / "moved away")
        write_deltalake(path, rows, partition_by="event_date")
    changed = {"another contract": {"code": "of another contract"}, "rows left out": {"left_out": (date(2026, 1, 5),)}}
    run = replace(run if since in changed else asking(lake, DAY, "processed"), **changed.get(since, {}))
    assert measured.kept(run, "processed") is None


def test_a_row_written_by_another_program_fails_as_ever(lake: PlayLake) -> None:
    lake.land(DAY, "transaction_id | user_id\na | 1\nb | 2")
    lake.day(DAY)
    table = lake.table("features/transactions/v1")
    write_deltalake(table, table.to_pyarrow_table().slice(0, 1), mode="append")
    with pytest.raises(ContractViolationError, match="ExpectColumnValuesToBeUnique") as stopped:
        lake.validate(DAY, "features")
    (failure,) = stopped.value.failures
    assert (failure["failed"], failure["checked"], len(failure["examples"])) == (2, 3, 1)


def test_without_its_measures_a_day_is_read(one_made: PlayLake) -> None:
    """As after a kill between the rows and their measures."""
    lake = one_made
    (lake.lake_folder / "profiles").rename(lake.root / "gone")
    assert lake.validate(DAY)["counts"]["warnings"] == 0
    assert lake.rows("profiles"), "and is measured for later days"


RULES = """
    age      | Between   | min_value=30
    age      | Between   | min_value=30 strict_min=True
    age      | Between   | max_value=41.5
    age      | Between   | min_value=30 max_value=41 strict_min=True strict_max=True
    ratio    | Between   | min_value=0
    ratio    | Between   | max_value=1.0
    ratio    | Between   | min_value=0 max_value=1 strict_max=True
    amount   | Between   | min_value=0.1
    amount   | Between   | min_value=0.1 strict_min=True
    amount   | Between   | max_value=99999.99
    age      | BeInSet   | value_set=[30,41]
    category | BeInSet   | value_set=['food']
    category | BeInSet   | value_set=['food','']
    category | MatchRegex| regex='^fo+d$'
    category | MatchRegex| regex='o'
    category | NotBeNull |
    ratio    | NotBeNull |
"""
ROWS = [  # age, ratio, amount, category
    ("30", "0.0", "0.10", "food"),
    ("41", "1.0", "99999.99", ""),
    ("42", "double('NaN')", "0.11", "Food"),
    ("-1", "double('-Infinity')", "-0.10", "foood\n"),
    ("NULL", "NULL", "NULL", None),
]


def rules() -> list[Rule]:
    names = {
        "amount": "purchase_amount",
        "Between": "ToBeBetween",
        "BeInSet": "ToBeInSet",
        "MatchRegex": "ToMatchRegex",
    }
    found = []
    for line in RULES.strip().splitlines():
        column, kind, told = (cell.strip() for cell in line.split("|"))
        given: dict[str, Any] = {name: eval(value) for name, value in (each.split("=", 1) for each in told.split())}
        expectation = f"ExpectColumnValues{names.get(kind, 'ToNotBeNull')}"
        found.append(Rule(expectation, {"column": names.get(column, column), **given}))
    return found


@pytest.fixture
def odd(lake: PlayLake) -> Contract:
    ratio = Column(name="ratio", type="double", description="")
    return replace(lake.contract, derived=(ratio,))


def of_contract(lake: PlayLake, contract: Contract) -> Run:
    run = lake.plan("validate", DAY, table="processed")
    return replace(run, dataset=replace(run.dataset, contract=contract))


def odd_rows(contract: Contract, spark: SparkSession) -> DataFrame:
    own = ("age", "ratio", "purchase_amount", "category")
    others = ", ".join(
        f"CAST(NULL AS {type_}) AS `{name}`" for name, type_ in processed(contract).columns if name not in own
    )
    texts = [None if row[3] is None else "'" + row[3].replace("\n", "\\n") + "'" for row in ROWS]
    return spark.sql(
        " UNION ALL ".join(
            f"SELECT CAST({age} AS int) AS age, CAST({ratio} AS double) AS ratio, CAST({amount} AS decimal(12,2)) AS "
            f"purchase_amount, CAST({text or 'NULL'} AS string) AS category, {others}"
            for (age, ratio, amount, _), text in zip(ROWS, texts, strict=True)
        )
    )


def test_each_rule_counts_what_great_expectations_counts(lake: PlayLake, odd: Contract, spark: SparkSession) -> None:
    contract = replace(odd, rules=tuple(rules()))
    rows = odd_rows(contract, spark)
    known = measured.take(of_contract(lake, contract), "processed", rows)
    declared = suite.rules_of(contract, "processed")
    told = run_rules(rows, declared, "odd")
    compared = 0
    for place, (rule, result) in enumerate(zip(declared, told, strict=True)):
        counted = (
            known.nulls[rule.column]
            if "NotBeNull" in rule.expectation and rule.column
            else known.broken.get(str(place))
        )
        if counted is not None:
            compared += 1
            assert counted == (0 if result.success else result.failed), (rule.words, rule.column, result)
    assert compared >= len(rules())


def test_what_great_expectations_says_of_measures_it_says_of_rows(lake: PlayLake, spark: SparkSession) -> None:
    rows = spark.createDataFrame([(1, "x", 3), (2, "y", None), (3, "x", None)], "id long, kind string, n int")
    declared = [
        Rule("ExpectTableColumnsToMatchSet", {"column_set": ["id", "kind", "n"]}),
        Rule("ExpectTableRowCountToBeBetween", {"min_value": 1}),
        Rule("ExpectColumnValuesToBeOfType", {"column": "n", "type_": "IntegerType"}),
        Rule("ExpectColumnValuesToBeUnique", {"column": "id"}),
        Rule("ExpectColumnValuesToNotBeNull", {"column": "n", "mostly": 0.3}),
        Rule("ExpectColumnValuesToBeInSet", {"column": "kind", "value_set": ["x"], "mostly": 0.6}),
    ]
    known = Measured(3, {"id": 0, "kind": 0, "n": 2}, {"5": 1}, unique=True)
    told = judge_measured(MeasuredTable(rows.schema, ("id",), known), declared, "few")
    assert told == run_rules(rows, declared, "few", number=3)
    assert all(result.success for result in told or [])


@pytest.mark.parametrize(
    "rule",
    """
    Min  | age             | min_value=-1
    Min  | ratio           | max_value=0
    Max  | age             | min_value=42 max_value=42
    Max  | age             | max_value=42 strict_max=True
    Max  | purchase_amount | max_value=99999.99
    Max  | purchase_amount | min_value=99999.99
    Min  | purchase_amount | min_value=-0.1
    Min  | purchase_amount | min_value=-0.1 strict_min=True
    Mean | age             | min_value=28 max_value=28
    Mean | purchase_amount | max_value=25000.025
    Mean | purchase_amount | min_value=25000.025
    Mean | ratio           | max_value=1
    Max  | ratio           | min_value=5
    """.strip().splitlines(),
    ids=lambda line: " ".join(line.split()),
)
def test_a_number_decides_as_the_rows_do(lake: PlayLake, odd: Contract, spark: SparkSession, rule: str) -> None:
    kind, column, told = (cell.strip() for cell in rule.split("|"))
    given = {name: eval(value) for name, value in (each.split("=", 1) for each in told.split())}
    declared = Rule(f"ExpectColumn{kind}ToBeBetween", {"column": column, **given})
    contract = replace(odd, rules=(declared,))
    rows = odd_rows(contract, spark)
    known = measured.take(of_contract(lake, contract), "processed", rows)
    (place,) = known.numbers
    rules = suite.rules_of(contract, "processed")
    table = MeasuredTable(rows.schema, contract.key, replace(known, numbers={"0": known.numbers[place]}))
    judged, (asked,) = judge_measured(table, [declared], "odd"), run_rules(rows, [declared], "odd")
    assert rules[int(place)] == declared
    assert (judged == [asked]) is asked.success, (known.numbers, asked)


def test_no_number_of_a_sensitive_column_is_kept(lake: PlayLake, spark: SparkSession) -> None:
    rule = Rule("ExpectColumnMaxToBeBetween", {"column": "age", "max_value": 120})
    columns = tuple(replace(column, sensitive=column.name == "age") for column in lake.contract.columns)
    contract = replace(lake.contract, columns=columns, rules=(rule,))
    assert broken_rules.numbers(contract, "processed") == {}
    assert broken_rules.numbers(replace(contract, columns=lake.contract.columns), "processed")


@pytest.mark.parametrize(
    "rule",
    [
        Rule("ExpectColumnValuesToBeUnique", {"column": "n"}),
        Rule("ExpectColumnValuesToNotBeNull", {"column": "n"}),
        Rule(
            "ExpectColumnValuesToNotBeNull",
            {"column": "id", "row_condition": 'col("id")>2', "condition_parser": "great_expectations"},
        ),
        Rule("ExpectColumnValuesToBeOfType", {"column": "gone", "type_": "IntegerType"}),
        Rule("ExpectColumnMeanToBeBetween", {"column": "n", "min_value": 0}),
        Rule(
            "ExpectColumnKLDivergenceToBeLessThan",
            {"column": "n", "partition_object": {"values": [1], "weights": [1.0]}},
        ),
        Rule("ExpectColumnPairValuesToBeEqual", {"column_A": "id", "column_B": "n"}),
        Rule(
            "ExpectColumnQuantileValuesToBeBetween",
            {"column": "n", "quantile_ranges": {"quantiles": [0.5], "value_ranges": [[0, 9]]}},
        ),
        Rule("ExpectTableRowCountToBeBetween", {"min_value": 4}),
    ],
    ids=lambda rule: rule.words,
)
def test_a_rule_that_fails_or_was_not_measured_is_asked_of_rows(spark: SparkSession, rule: Rule) -> None:
    schema = spark.createDataFrame([(1, 3)], "id long, n int").schema
    known = Measured(3, {"id": 0, "n": 2}, {}, unique=True)
    assert judge_measured(MeasuredTable(schema, ("id",), known), [rule], "few") is None
