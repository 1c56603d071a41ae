import pytest

from common import datasets
from common.errors import BadArguments


def test_datasets_are_found_by_their_folders() -> None:
    assert {"churn", "transactions"} <= set(datasets.names())


@pytest.mark.parametrize("name", ["../x", "nothing", "", "transactions/../churn", "Transactions"])
def test_an_unknown_dataset_is_refused_with_the_known_ones(name: str) -> None:
    with pytest.raises(BadArguments, match="churn, .*transactions"):
        datasets.load(name)
