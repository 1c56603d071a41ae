"""`make check` says everything that is wrong with a dataset in one go."""

import re
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest

from common.contracts import datasets
from common.errors import ContractDeclarationError, UsageError
from common.reports.check_dataset import faults_of
from tests.support.datasets import spoil


@pytest.mark.parametrize("name", ["churn", "transactions"])
def test_nothing_is_wrong_with_our_datasets(name: str) -> None:
    assert faults_of(name) == []


def test_all_faults_are_told_in_one_go(visits: Path) -> None:
    contract = visits / "contract.py"
    for old, new in (
        ('type="long", required=True, description="The number', 'type="integer", requird=True, description="The number'),
        (', description="The visitor\'s name"', ""),
        ('type="double", minimum=0,', 'type="double", minimum=5, maximum=1,'),
        ('key=("visit_id",)', 'key=("visitid",)'),
        ("refused_share=0.5", 'zone="Europe/Atlantis"'),
        ('Count(3)', 'Count(0)'),
        ('Max(3, "minutes")', 'Max(3, "minuts")'),
    ):  # fmt: skip
        spoil(contract, old, new)
    spoil(visits / "transforms.py", "def measure", "def mesure")
    expected = {
        "contract.py:9: Column has no argument 'requird' (did you mean required?)": 1,
        "contract.py:9: column 'visit_id': type 'integer' is unknown (did you mean int?)": 1,
        "contract.py:10: Column needs 'description'": 1,
        "contract.py:12: column 'minutes': minimum 5 is greater than maximum 1": 1,
        "contract.py:5: contract 'visits': key names ['visitid'], but the columns are": 1,
        "contract.py:5: contract 'visits': zone 'Europe/Atlantis' is unknown": 1,
        "contract.py:22: events in the last 0 days: a window of 0 days is empty": 1,
        "contract.py:5: contract 'visits': feature 'longest_3d' names ['minuts'], but the columns are": 1,
        "transforms.py defines no measure (did you mean mesure?)": 1,
    }
    faults = faults_of("visits")
    assert {words: sum(words in fault for fault in faults) for words in expected} == expected
    assert len(faults) == len(expected), faults


def test_a_syntax_error_is_one_line(visits: Path) -> None:
    spoil(visits / "contract.py", "Count(3)", "Count(3")
    [fault] = faults_of("visits")
    assert fault == "visits/contract.py:5: '(' was never closed: CONTRACT = Contract("


def test_a_calendar_is_tried_on_the_days_of_a_year(visits: Path) -> None:
    spoil(visits / "contract.py", 'event_time="day",', 'event_time="day", closed=lambda day: 1 / (day.month - 12),')
    [fault] = faults_of("visits")
    assert re.fullmatch(r"visits/contract.py:\d+: closed: ZeroDivisionError: division by zero", fault)


def test_a_rule_of_the_contract_is_compared_with_its_tables(visits: Path) -> None:
    spoil(
        visits / "contract.py",
        "from common.contracts.contract",
        "from common.contracts.expectations import Rule\nfrom common.contracts.contract",
    )
    spoil(
        visits / "contract.py",
        "lateness_days=2,",
        'lateness_days=2, rules=(Rule("ExpectColumnToExit", {"column": "size"}),),',
    )
    faults = " ".join(faults_of("visits"))
    assert "rule 'ExpectColumnToExit' is unknown (did you mean ExpectColumnToExist?)" in faults
    assert "names ['size'], but processed/visits has" in faults


def test_what_follows_from_a_fault_is_not_told(visits: Path) -> None:
    spoil(visits / "contract.py", "Count(3)", "3")
    assert [fault.partition(";")[0] for fault in faults_of("visits")] == [
        "visits/contract.py:22: feature 'visits_3d': 3 is not an aggregate"
    ]


def test_of_an_unknown_type_nothing_else_is_told(visits: Path) -> None:
    spoil(visits / "contract.py", 'type="double", minimum=0', 'type="float", minimum=0')
    assert [fault.partition(";")[0] for fault in faults_of("visits")] == [
        "visits/contract.py:12: column 'minutes': type 'float' is unknown (did you mean double?)"
    ]


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("formats=(", 'formats=("%d.%m.%Y", ', "format '%d.%m.%Y' is unknown: '%', 'Y'; expected Spark's letters"),
        ("formats=(", 'formats=("dd.MM.yyyy\'T", ', "has a single quote that is not closed"),
        ('"The visitor\'s name"', '"Who", pattern="[a-z"', "pattern '[a-z' is not a regular expression"),
        ("lateness_days=2", 'lateness_days=2, source=Files(encoding="base64")', "encoding 'base64' is unknown"),
        ("CONTRACT = ", "exit()\nCONTRACT = ", "visits/contract.py:5: it ends Python with sys.exit or exit()"),
    ],
)  # fmt: skip
def test_what_only_spark_would_refuse_is_told(visits: Path, old: str, new: str, told: str) -> None:
    spoil(visits / "contract.py", "import Column,", "import Column, Files,")
    spoil(visits / "contract.py", old, new)
    assert told in " ".join(faults_of("visits"))


@pytest.mark.parametrize(
    ("declared", "told"),
    [
        ('lateness_days="2"', "contract 'visits': lateness_days is '2'; expected a whole number"),
        ('refused_severity="eror"', "refused_severity is 'eror'; expected Severity.ERROR or Severity.WARN"),
        ('refused_share=float("nan")', "refused_share is nan; expected a number"),
        ("volume=0.5", "volume is 0.5; expected Volume(...)"),
        ("drift=False", "drift is False; expected Drift(...) or None"),
        ('freshness=Freshness(hours="24")', "freshness: hours is '24'; expected a whole number"),
        ("closed=lambda: True", "closed=<lambda> can't be called with one argument"),
        ("closed=lambda day, more: True", "closed=<lambda> can't be called with one argument"),
    ],
)
def test_a_value_of_another_type_is_told(visits: Path, declared: str, told: str) -> None:
    contract = visits / "contract.py"
    spoil(contract, "\nCONTRACT = ", "from common.contracts.expectations import Freshness\n\nCONTRACT = ")
    spoil(contract, "refused_share=0.5,", "")
    spoil(contract, "lateness_days=2,", f"{declared}, event_time_=1,")
    faults = " ".join(faults_of("visits"))
    assert told in faults
    assert "has no argument 'event_time_'" in faults, "and the rest"


@pytest.mark.parametrize(
    "declared", ["sensitive=1", "lower='yes'", "source=3", "pattern=b'x'", "values=(3,)", "maximum='9'"]
)
def test_a_wrong_value_of_a_column_is_told_without_a_trace(visits: Path, declared: str) -> None:
    spoil(visits / "contract.py", '"The visitor\'s name"', f'"Who", {declared}')
    faults = faults_of("visits")
    assert faults
    assert all(fault.startswith("visits/contract.py:") for fault in faults), faults


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("version=1", 'version="1"', "features: version is '1'; expected a whole number"),
        ('entity="visitor"', "entity=None", "features: entity is None; expected a text"),
        ('Max(3, "minutes")', "Max(3, 5)", "Max: column is 5; expected a text"),
        ('Feature("visits_3d"', 'Feature("Visits 3d"', "feature 'Visits 3d': a name is letters, digits and _"),
        ("Count(3)", "Count(10**9)", "a feature's window 1000000000 is over 36,500, a hundred years"),
        ("lateness_days=2", "lateness_days=10**9", "lateness_days 1000000000 is over 36,500"),
        ('event_time="day"', "event_time=3", "event_time is 3; expected a text or None"),
        ("minimum=0", 'minimum=float("inf")', "minimum is inf; expected a number"),
        ('formats=("dd.MM.yyyy",)', "formats=(None,)", "formats is (None,); expected a tuple, each a text"),
    ],
)  # fmt: skip
def test_a_value_that_only_a_run_would_stumble_over_is_told(visits: Path, old: str, new: str, told: str) -> None:
    spoil(visits / "contract.py", old, new)
    assert told in " ".join(faults_of("visits"))


@pytest.mark.parametrize("takes", ["", "rows, more", "rows, *, more"])
def test_a_transform_takes_the_rows_alone(visits: Path, takes: str) -> None:
    spoil(visits / "transforms.py", "def derive(rows: DataFrame)", f"def derive({takes})")
    assert faults_of("visits") == [
        "visits/transforms.py:6: derive can't be called with the rows alone; expected def derive(rows)"
    ]


def test_a_calendar_that_fails_is_the_datasets_fault(visits: Path) -> None:
    spoil(visits / "contract.py", "lateness_days=2", "lateness_days=2, closed=lambda day: 1 / 0")
    with pytest.raises(ContractDeclarationError, match=r"contract.py:\d+: closed: ZeroDivisionError: division by zero"):
        datasets.load("visits").contract.is_closed(date(2026, 1, 5))


@pytest.mark.parametrize("pattern", [r"[\p{L} ]+", r"\A\d+\z", "(?<first>[a-z&&[^b]])"])
def test_a_pattern_is_one_of_java(visits: Path, pattern: str) -> None:
    spoil(visits / "contract.py", '"The visitor\'s name"', f'"Who", pattern=r"{pattern}"')
    assert faults_of("visits") == []


def test_what_a_contract_prints_is_not_on_stdout(visits: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spoil(visits / "contract.py", "CONTRACT = ", "print('declared')\nCONTRACT = ")
    assert faults_of("visits") == []
    datasets.load("visits")
    assert "declared" not in capsys.readouterr().out


def test_a_fault_of_the_training_module_is_told(visits: Path) -> None:
    (visits / "training.py").write_text(
        "from common.training.steps import Clip\n\nSTEPS = (Clip('a'), Clip('b'))\nTRAINING_SETS = ()\n"
    )
    assert len(faults_of("visits")) == 2


def test_an_unknown_dataset_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match=r"did you mean churn\?"):
        faults_of("chrun")


def test_the_check_ends_with_0_and_one_line_without_spark() -> None:
    code = """
import runpy, sys
sys.argv[1:] = ["churn"]
try:
    runpy.run_module("common.reports.check_dataset", run_name="__main__")
finally:
    assert "pyspark" not in sys.modules
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "churn: nothing wrong\n", "")
