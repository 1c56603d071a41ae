"""The rules that each contract generates, compared with the approved files in rules/."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from common.contracts import datasets, suite
from common.contracts.aggregates import FeatureRatio, Sum
from common.contracts.contract import Feature, Features
from common.contracts.layout import STAGES
from common.quality import gx

GOLDEN = Path(__file__).parent / "rules"


def said(dataset: str) -> str:
    contract = datasets.load(dataset).contract
    lines = [
        f"{table} | {rule.column or '-'} | {rule.words} | {rule.severity}"
        for table in STAGES
        for rule in suite.rules_of(contract, table)
    ]
    limits = ("refused_share", "refused_severity", "duplicate_share", "duplicate_severity")
    more = (*limits, "freshness", "volume", "drift", "label", "references")
    return "\n".join([*lines, *(f"{name} = {getattr(contract, name)}" for name in more), ""])


@pytest.mark.parametrize("dataset", sorted(file.stem for file in GOLDEN.glob("*.txt")))
def test_the_rules_of_a_dataset_are_these(dataset: str) -> None:
    assert said(dataset) == (GOLDEN / f"{dataset}.txt").read_text()


def shares(**changed: Any) -> set[str]:
    """The features bounded to 0..1 under a contract with these changes."""
    contract = replace(datasets.load("transactions").contract, **changed)
    found = [rule for rule in suite.rules_of(contract, "features") if rule.arguments.get("max_value") == 1]
    return {str(rule.column) for rule in found}


def with_ratio(numerator: str, divisor: str, zero: float = 0.0) -> Features:
    declared = datasets.load("transactions").contract.features
    more = (
        Feature("r", FeatureRatio(numerator, divisor, zero)),
        Feature("spend", Sum(30, "purchase_amount")),
        Feature("ages_7d", Sum(7, "age")),
        Feature("ages_30d", Sum(30, "age")),
        Feature("users_7d", Sum(7, "user_id")),
    )
    return replace(declared, columns=(*declared.columns, *more))


@pytest.mark.parametrize(
    ("numerator", "divisor", "is_share"),
    [
        ("spend_7d", "spend_30d", True),
        ("spend_30d", "spend", True),
        ("purchases_7d", "purchases_30d", True),
        ("spend_30d", "spend_7d", False),
        ("ages_7d", "ages_30d", True),
        ("users_7d", "ages_30d", False),
        ("spend_7d", "purchases_30d", False),
        ("avg_purchase_30d", "max_purchase_30d", False),
    ],
)
def test_a_part_divided_by_its_whole_is_between_0_and_1(numerator: str, divisor: str, is_share: bool) -> None:
    assert ("r" in shares(features=with_ratio(numerator, divisor))) == is_share


def test_no_share_bound_where_a_sum_may_fall_or_null_is_replaced() -> None:
    columns = datasets.load("transactions").contract.columns
    signed = tuple(replace(each, above=None) if each.name == "purchase_amount" else each for each in columns)
    assert "spend_share_7d" in shares()
    assert "spend_share_7d" not in shares(columns=signed)
    assert "r" not in shares(features=with_ratio("spend_7d", "spend_30d", zero=-1.0))


def test_great_expectations_knows_every_declared_rule() -> None:
    """Find it here rather than when the gate first runs."""
    for dataset in datasets.names():
        contract = datasets.load(dataset).contract
        for table in STAGES:
            for place, rule in enumerate(suite.rules_of(contract, table)):
                assert gx.expectation(rule, place).meta == {"rule": place}
