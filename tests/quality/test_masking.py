"""Which columns are sensitive, and how results and records are masked."""

from dataclasses import replace

import pytest

from common.contracts import datasets, sensitive
from common.contracts.aggregates import FeatureRatio, Pick
from common.contracts.contract import Contract, Feature
from common.quality import masking

CHURN = datasets.load("churn").contract
EVENTS = datasets.load("transactions").contract


def with_sensitive(contract: Contract, *names: str) -> Contract:
    columns = tuple(replace(each, sensitive=each.name in names) for each in contract.columns)
    return replace(contract, columns=columns)


@pytest.mark.parametrize("table", ["raw", "processed"])
def test_a_sensitive_column_is_so_wherever_its_rows_are(table: str) -> None:
    assert sensitive.sensitive_names(with_sensitive(EVENTS, "age", "user_id"), table) == {"age", "user_id"}


def test_a_feature_is_as_sensitive_as_what_it_is_made_of() -> None:
    found = sensitive.sensitive_names(with_sensitive(EVENTS, "purchase_amount", "user_id"), "features")
    assert found == {"user_id", "spend_7d", "spend_30d", "avg_purchase_30d", "max_purchase_30d", "spend_share_7d"}


def test_a_renamed_sensitive_column_stays_sensitive() -> None:
    features = (
        Feature("how_they_pay", Pick("payment_method")),
        Feature("rate", FeatureRatio("monthly_charges", "tenure_days")),
    )
    contract = with_sensitive(replace(CHURN, label=None), "payment_method", "tenure_days")
    contract = replace(contract, features=replace(contract.features, columns=features))
    assert sensitive.sensitive_names(contract, "features") == {"how_they_pay", "rate"}


def test_measures_may_be_sensitive_too() -> None:
    measures = tuple(replace(each, sensitive=True) for each in EVENTS.features.measures)
    contract = replace(EVENTS, features=replace(EVENTS.features, measures=measures))
    assert sensitive.sensitive_names(contract, "features") == {"weekend_share_30d"}


@pytest.mark.parametrize(
    ("expectation", "arguments", "shows"),
    [
        ("expect_column_values_to_be_unique", {"column": "age"}, True),
        ("expect_column_values_to_be_unique", {"column": "category"}, False),
        ("expect_compound_columns_to_be_unique", {"column_list": ["category", "age"]}, True),
        ("expect_column_pair_values_to_be_equal", {"column_A": "category", "column_B": "age"}, True),
        ("unexpected_rows_expectation", {"unexpected_rows_query": "SELECT 1"}, True),
        ("expect_table_columns_to_match_set", {"column_set": ["age"]}, False),
        ("expect_column_values_to_be_of_type", {"column": "age"}, False),
    ],
)
def test_a_result_shows_values_of_every_column_in_its_rule(
    expectation: str, arguments: dict[str, object], shows: bool
) -> None:
    assert masking.shows(expectation, arguments, frozenset({"age"})) == shows
    assert not masking.shows(expectation, arguments, frozenset())


def test_a_masked_result_keeps_only_counts() -> None:
    result = {
        "element_count": 9,
        "unexpected_percent_nonmissing": 50.0,
        "partial_unexpected_list": ["Ann", "Bob"],
        "partial_missing_list": ["Cid"],
        "observed_value": "Ann",
        "details": {"value_counts": [{"value": "Ann", "count": 1}]},
        "unexpected_index_query": "name = 'Ann'",
    }
    assert masking.counts_only(result) == {
        "element_count": 9,
        "unexpected_percent_nonmissing": 50.0,
        "partial_unexpected_list": [masking.MASK],
        "observed_value": masking.MASK,
    }


def test_a_masked_error_keeps_only_its_class_name() -> None:
    one = {
        "raised_exception": True,
        "exception_message": "[CAST_INVALID_INPUT] The value 'Ann'",
        "exception_traceback": "…Ann",
    }
    masked = {"raised_exception": True, "exception_message": "[CAST_INVALID_INPUT]", "exception_traceback": None}
    assert masking.class_only(one) == masked
    assert masking.class_only({"a metric": one}) == {"a metric": masked}
    assert masking.class_only({**one, "exception_message": "Ann"})["exception_message"] == masking.MASK


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ('{"age":"30","category":"toys"}', '{"age":"(masked)","category":"toys"}'),
        ('{"age":null,"category":"tøys"}', '{"age":null,"category":"tøys"}'),
        ('{"Age":"30","category":["30"]}', '{"Age":"(masked)","category":"(masked)"}'),
        ("30,toys,and more", "(masked)"),
        ('["30"]', "(masked)"),
    ],
    ids=["a sensitive field", "nothing there", "fields that no column declares", "never taken apart", "no fields"],
)
def test_a_record_is_shown_without_its_sensitive_fields(text: str, shown: str) -> None:
    assert masking.mask_record(with_sensitive(EVENTS, "age"), text) == shown
    assert masking.mask_record(with_sensitive(EVENTS), text) == text


def test_a_field_is_masked_under_the_name_of_its_source() -> None:
    contract = with_sensitive(EVENTS, "age")
    columns = tuple(
        replace(each, source={"age": "Age of X", "category": "Cat"}.get(each.name)) for each in contract.columns
    )
    shown = masking.mask_record(replace(contract, columns=columns), '{"Age of X":"30","Cat":"toys"}')
    assert shown == '{"Age of X":"(masked)","Cat":"toys"}'
