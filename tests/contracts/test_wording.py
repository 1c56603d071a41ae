"""A declaration that is not accepted says what is, and what was probably meant."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from common.contracts import datasets
from common.contracts.aggregates import Count, DatePart, FeatureRatio, Sum
from common.contracts.checking.expectation_names import COMMON, EXPECTATIONS
from common.contracts.contract import Column, Contract, Feature, Files
from common.contracts.expectations import Rule
from common.contracts.wording import rule_faults
from common.errors import ContractDeclarationError, UsageError
from common.names import did_you_mean
from common.quality import gx

PURCHASES = datasets.load("transactions").contract


def column(**declared: Any) -> Column:
    return Column(**{"name": "amount", "type": "long", "description": "", **declared})


def purchases(**changed: Any) -> Contract:
    return replace(PURCHASES, **changed)


def with_feature(rule: Any) -> Contract:
    columns = (*PURCHASES.features.columns, Feature("more", rule))
    return purchases(features=replace(PURCHASES.features, columns=columns))


@pytest.mark.parametrize(
    ("declare", "expected"),
    [
        (lambda: column(type="integer"), "type 'integer' is unknown (did you mean int?); expected string, int, long, double,"),
        (lambda: column(type="bigint"), "did you mean long?"),
        (lambda: column(type="String"), "did you mean string?"),
        (lambda: column(type="decimal"), "did you mean decimal(12,2)?"),
        (lambda: column(type="decimal(12)"), "did you mean decimal(12,2)?"),
        (lambda: column(type="datetime"), "did you mean timestamp?"),
        (lambda: column(type="decimal(40,2)"), "expected 1 to 38 digits"),
        (lambda: column(type="decimal(4,6)"), "expected 1 to 38 digits"),
        (lambda: column(type=int), "type int is not in quotes (did you mean int?)"),
        (lambda: column(type="string", values="a"), "values is a str; expected a tuple: values=('a',)"),
        (lambda: purchases(key="user_id"), "key is a str; expected a tuple: key=('user_id',)"),
        (lambda: purchases(key=("transaction",)), "did you mean transaction_id?"),
        (lambda: purchases(winner=("timestmp",)), "did you mean timestamp?"),
        (lambda: purchases(label="sped_7d"), "did you mean spend_7d?"),
        (lambda: purchases(rules=(Rule("ExpectColumnToExist", {"column": "age"}, table="procesed"),)), "did you mean processed?"),
        (lambda: with_feature(Sum(7, "purchase_amnt")), "did you mean purchase_amount?"),
        (lambda: with_feature(FeatureRatio("spent_7d", "spend_30d")), "did you mean spend_7d?"),
        (lambda: with_feature(7), "7 is not an aggregate; expected one like Count(7)"),
        (lambda: Sum("purchase_amount", 7), "Sum: 'purchase_amount' is not a whole number of days; the window comes first"),
        (lambda: Count(True), "True is not a whole number of days"),
        (lambda: DatePart("weekday"), "did you mean day?"),
        (lambda: Files(on_bad_file="quarantined"), "did you mean quarantine?"),
    ],
)  # fmt: skip
def test_what_was_meant_is_said(declare: Callable[[], object], expected: str) -> None:
    with pytest.raises(ContractDeclarationError) as raised:
        declare()
    assert expected in str(raised.value)
    assert "\\d" not in str(raised.value)


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (Rule("ExpectColumnValuesToBeUniqe", {"column": "age"}), "(did you mean ExpectColumnValuesToBeUnique?)"),
        (Rule("ExpectColumnValuesToBeInSet", {"column": "age", "valueset": []}), "did you mean value_set?); it has column"),
        (Rule("ExpectColumnValuesToBeInSet", {"column": "age"}), "needs 'value_set'"),
    ],
)  # fmt: skip
def test_a_mistyped_rule_is_told_without_its_library(rule: Rule, expected: str) -> None:
    assert expected in " ".join(rule_faults(rule))


def test_the_rules_of_all_datasets_have_known_arguments() -> None:
    rules = [rule for name in datasets.names() for rule in datasets.load(name).contract.rules]
    assert [fault for rule in rules for fault in rule_faults(rule)] == []


def test_an_unknown_dataset_may_be_a_typing_error() -> None:
    with pytest.raises(UsageError, match=r"did you mean transactions\?"):
        datasets.load("transaction")


def test_nothing_is_proposed_for_a_name_unlike_all_others() -> None:
    assert did_you_mean("xyz", ["amount", "timestamp"]) == ""


def test_the_known_rules_are_those_of_the_library() -> None:
    library = gx.library().expectations
    base = {*library.Expectation.__fields__, *COMMON, "library_metadata"}
    classes = {
        name: one
        for name, one in vars(library).items()
        if isinstance(one, type) and issubclass(one, library.Expectation) and one is not library.Expectation
    }
    own = {name: [field for field in one.__fields__ if field not in base] for name, one in classes.items()}
    assert {name: [field.rstrip("*") for field in fields] for name, fields in EXPECTATIONS.items()} == own
