"""The rules that each contract comes to: whoever takes one away, or adds one, says so here."""

from pathlib import Path

import pytest

from common import datasets, rules
from common.layout import STAGES

GOLDEN = Path(__file__).parent / "rules"


def said(dataset: str) -> str:
    contract = datasets.load(dataset).contract
    lines = [
        f"{table} | {rule.column or '-'} | {rule.words} | {rule.severity}"
        for table in STAGES
        for rule in rules.rules_of(contract, table)
    ]
    more = ("refused_share", "duplicate_share", "freshness", "volume", "drift", "label", "references")
    return "\n".join([*lines, *(f"{name} = {getattr(contract, name)}" for name in more), ""])


@pytest.mark.parametrize("dataset", datasets.names())
def test_the_rules_of_a_dataset_are_these(dataset: str) -> None:
    assert said(dataset) == (GOLDEN / f"{dataset}.txt").read_text()
