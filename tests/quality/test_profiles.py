"""The number of different values is exact where the profile or the contract tells it."""

import ast
from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from common.console.distributions import newest
from common.quality.profiles import DISTINCT_ERROR, Profile
from jobs.datasets.churn.contract import CONTRACT as CHURN
from jobs.datasets.transactions.contract import CONTRACT
from tests.house.test_imports import ROOT, modules

AGE = Profile(date(2026, 1, 5), "processed", "age", "", "int", 100, 10, 93, "18", "90", 40.0, 9.0, [18.0, 90.0], None)


def top(*counts: int) -> list[dict[str, Any]]:
    return [{"value": str(place), "count": count} for place, count in enumerate(counts)]


@pytest.mark.parametrize(
    ("profile", "exact"),
    [
        (AGE, None),
        (replace(AGE, nulls=100, smallest=None, largest=None), 0),
        (replace(AGE, column="transaction_id", type="string", smallest=None, largest=None), 90),
        (replace(AGE, table="features", column="user_id"), 90),
        (replace(AGE, column="user_id"), None),
        (replace(AGE, column="category", type="string", top=top(60, 30)), 2),
        (replace(AGE, column="category", type="string", top=top(60, 20)), None),
        (replace(AGE, column="weekend", type="boolean", top=top(90, 0)), 1),
        (replace(AGE, largest="18"), 1),
        (replace(AGE, largest="19"), 2),
        (replace(AGE, type="double", smallest="0.0", largest="1.0"), None),
        (replace(AGE, smallest=None), None),
    ],
    ids=[
        "many numbers", "nulls", "key", "entity", "not a key", "few texts", "many texts", "boolean", "constant", "flag",
        "doubles", "not shown",
    ],
)  # fmt: skip
def test_the_number_of_values_is_exact_where_it_is_known(profile: Profile, exact: int | None) -> None:
    assert profile.exact_distinct(CONTRACT) == exact


def test_one_column_of_several_in_a_key_does_not_identify_a_row() -> None:
    key = replace(CONTRACT, key=("transaction_id", "user_id"))
    assert replace(AGE, column="user_id").exact_distinct(key) is None
    assert replace(AGE, column="customer_id").exact_distinct(CHURN) == 90


def test_the_number_of_values_is_shown_in_one_place() -> None:
    """Whoever shows it elsewhere has to say there whether it is an estimate. A trial's is exact: it reads every row."""
    showing = {
        module
        for folder in ("common", "jobs", "dags")
        for module, path in modules(ROOT / folder).items()
        if _names_distinct(ast.parse(path.read_text()))
    }
    assert showing == {"common.quality.profiles", "common.console.distributions", "common.planning.trial"}


def _names_distinct(tree: ast.Module) -> bool:
    called = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}  # as DataFrames have it
    return any(
        (isinstance(node, ast.Attribute) and node.attr == "distinct" and id(node) not in called)
        or (isinstance(node, ast.Constant) and node.value == "distinct")
        for node in ast.walk(tree)
    )


@pytest.mark.parametrize(
    ("profile", "shown", "about"),
    [
        (AGE, 90, DISTINCT_ERROR),
        (replace(AGE, distinct=80), 80, DISTINCT_ERROR),
        (replace(AGE, column="transaction_id", type="string", smallest=None, largest=None), 90, 0),
        (replace(AGE, largest="19"), 2, 0),
    ],
    ids=["an estimate above the rows", "an estimate", "a key", "a flag"],
)
def test_an_estimate_is_shown_with_its_error(profile: Profile, shown: int, about: float) -> None:
    facts = newest(profile, CONTRACT)
    assert (facts["distinct"], facts["about"]) == (shown, about)
