from dataclasses import replace

import pytest

from common.contracts import datasets
from common.contracts.expectations import Rule
from common.errors import ContractDeclarationError, UsageError
from jobs.datasets.churn import contract


def test_datasets_are_found_by_their_folders() -> None:
    assert {"churn", "transactions"} <= set(datasets.names())


@pytest.mark.parametrize("name", ["../x", "nothing", "", "transactions/../churn", "Transactions"])
def test_an_unknown_dataset_is_refused_with_the_known_ones(name: str) -> None:
    with pytest.raises(UsageError, match="churn, .*transactions"):
        datasets.load(name)


def test_a_rule_about_an_unknown_column_is_refused_at_load(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    typo = Rule("ExpectColumnValuesToNotBeNull", {"column": "tenure"})
    monkeypatch.setattr(contract, "CONTRACT", replace(contract.CONTRACT, rules=(typo,)))
    with pytest.raises(ContractDeclarationError, match=r"names \['tenure'\], but processed/churn has .*tenure_days"):
        datasets.load("churn")
