"""Contracts exported as documents of the Open Data Contract Standard."""

import json
from dataclasses import replace
from decimal import Decimal
from functools import cache
from importlib.resources import files
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft201909Validator
from open_data_contract_standard.model import DataQuality, OpenDataContractStandard, SchemaProperty

from common.contracts import datasets, layout
from common.contracts.contract import Column, Contract
from common.contracts.documents import odcs
from common.contracts.expectations import Freshness, Rule, Severity
from common.contracts.suite import rules_of
from common.errors import ContractDeclarationError
from jobs.datasets.churn.contract import CONTRACT as SNAPSHOT
from jobs.datasets.transactions.contract import CONTRACT as EVENTS
from tests.contracts import odcs_reading


@cache
def standard() -> Draft201909Validator:
    """The published JSON schema, from the installed package."""
    published = files("open_data_contract_standard") / "schema.json"
    return Draft201909Validator(json.loads(published.read_text("utf-8")))


def test_the_text_is_what_the_standards_package_writes() -> None:
    for contract in (SNAPSHOT, EVENTS):
        assert odcs.as_yaml(contract) == odcs.document(contract).to_yaml()


def read_again(contract: Contract) -> OpenDataContractStandard:
    return OpenDataContractStandard.from_string(odcs.document(contract).to_yaml())


def tables(contract: Contract) -> list[dict[str, SchemaProperty]]:
    return [{str(each.name): each for each in table.properties or []} for table in read_again(contract).schema_ or []]


def with_column(name: str, **declared: Any) -> Contract:
    columns = [replace(each, **declared) if each.name == name else each for each in EVENTS.columns]
    return replace(EVENTS, columns=tuple(columns))


def said_by_both(column: Column) -> Column:
    """Drops what the standard can't express: how a text is parsed."""
    return replace(column, lower=False, formats=())


@pytest.mark.parametrize("name", datasets.names())
def test_every_contract_is_valid_by_the_published_schema(name: str) -> None:
    written = yaml.safe_load(odcs.document(datasets.load(name).contract).to_yaml())
    assert [error.message for error in standard().iter_errors(written)] == []


def test_the_published_schema_refuses_what_it_does_not_know() -> None:
    written = yaml.safe_load(odcs.document(EVENTS).to_yaml())
    written["schema"][0]["properties"][0]["colour"] = "green"
    assert not standard().is_valid(written)


@pytest.mark.parametrize("name", datasets.names())
def test_every_column_comes_back_as_it_was_declared(name: str) -> None:
    contract = datasets.load(name).contract
    processed, _ = tables(contract)
    declared = [*contract.columns, *contract.derived]
    assert [odcs_reading.column_of(processed[each.name]) for each in declared] == [
        said_by_both(each) for each in declared
    ]


NUMBERS = st.integers(-(10**20), 10**20) | st.decimals(-(10**9), 10**9, places=5)
TEXTS = st.text(st.characters(categories=("L", "N", "P", "Zs")), min_size=1).map(str.strip)


@st.composite
def columns(draw: st.DrawFn) -> Column:
    declared: dict[str, Any] = {
        "type": draw(st.sampled_from(["string", "int", "long", "double", "decimal(38,5)", "date"]))
    }
    if declared["type"] == "string":
        declared["values"] = tuple(
            draw(st.lists(TEXTS | st.sampled_from(["No", "1", "null"]), unique=True, max_size=3))
        )
        declared["pattern"] = draw(st.none() | st.sampled_from([r"^\d+: #$", "'\"[a-z]{2}"]))
    elif declared["type"] != "date":
        low, high = sorted(draw(st.tuples(NUMBERS, NUMBERS)))
        declared[draw(st.sampled_from(["minimum", "above", "nothing"]))] = low
        declared["maximum"] = draw(st.sampled_from([None, high]))
        declared.pop("nothing", None)
    flags = {name: draw(st.booleans()) for name in ("required", "sensitive")}
    return Column(name="amount", description=draw(TEXTS), **flags, **declared)


@settings(max_examples=100, deadline=None)
@given(columns())
def test_a_column_with_any_constraints_comes_back_as_it_was(column: Column) -> None:
    shown = odcs.property_of(column)
    text = yaml.dump(shown.model_dump(exclude_none=True), allow_unicode=True)
    assert odcs_reading.column_of(SchemaProperty(**yaml.safe_load(text))) == column


def test_a_tenth_is_written_and_read_exactly() -> None:
    column = Column(name="rate", type="decimal(9,4)", description="", above=Decimal("0.1"), maximum=Decimal("1.0"))
    shown = odcs.property_of(column)
    assert shown.logicalTypeOptions == {"exclusiveMinimum": 0.1, "maximum": 1}
    assert odcs_reading.column_of(shown) == column


def test_an_unsupported_type_is_refused() -> None:
    with pytest.raises(ContractDeclarationError, match="VARCHAR"):
        odcs_reading.column_of(SchemaProperty(name="amount", physicalType="VARCHAR(2)"))


def test_a_sensitive_column_and_its_features_are_marked() -> None:
    processed, features = tables(with_column("purchase_amount", sensitive=True))
    assert {name for name, each in processed.items() if each.classification} == {"purchase_amount"}
    assert {name: each.classification for name, each in features.items() if each.classification} == dict.fromkeys(
        ["spend_7d", "spend_30d", "avg_purchase_30d", "max_purchase_30d", "spend_share_7d"], "confidential"
    )


def test_a_sensitive_entity_shows_it_in_both_tables() -> None:
    for properties in tables(with_column("user_id", sensitive=True)):
        assert {name for name, each in properties.items() if each.classification} == {"user_id"}


@pytest.mark.parametrize("contract", [EVENTS, SNAPSHOT])
def test_key_and_partition_columns_are_numbered(contract: Contract) -> None:
    for table, properties in zip(
        (layout.processed(contract), layout.features(contract)), tables(contract), strict=True
    ):
        assert list(properties) == table.names
        keys = {name: each.primaryKeyPosition for name, each in properties.items() if each.primaryKey}
        assert keys == {name: place for place, name in enumerate(table.identity, 1)}
        cuts = {name: each.partitionKeyPosition for name, each in properties.items() if each.partitioned}
        assert cuts == {name: place for place, name in enumerate(table.partition, 1)}
        assert all(properties[name].required for name in table.identity)


def test_a_rule_is_written_at_its_column_in_gx_syntax(monkeypatch: pytest.MonkeyPatch) -> None:
    between = {"column": "age", "min_value": 0, "max_value": Decimal("120.5")}
    rules = [
        Rule("ExpectColumnValuesToBeBetween", between),
        Rule("ExpectTableRowCountToBeBetween", {"min_value": 1}, Severity.WARN),
    ]
    monkeypatch.setattr(odcs, "rules_of", lambda contract, table: rules)
    processed = (read_again(EVENTS).schema_ or [])[0]
    of_columns = {each.name: each.quality for each in processed.properties or [] if each.quality}
    assert {
        name: [found.model_dump(exclude_none=True) for found in quality] for name, quality in of_columns.items()
    } == {
        "age": [
            {
                "type": "custom",
                "engine": "great-expectations",
                "severity": "error",
                "implementation": {
                    "type": "expect_column_values_to_be_between",
                    "kwargs": {"column": "age", "min_value": 0, "max_value": 120.5},
                },
            }
        ]
    }
    assert [each.severity for each in processed.quality or []] == ["warning"]


@pytest.mark.parametrize("name", datasets.names())
def test_every_row_expectation_is_exported_once_with_severity(name: str) -> None:
    """The standard can't express the gate's other checks: books, volume, drift, references."""
    contract = datasets.load(name).contract
    for stage, table in zip(("processed", "features"), read_again(contract).schema_ or [], strict=True):
        found = odcs_reading.rules_of(table, stage)
        wanted = [replace(rule, table=stage) for rule in rules_of(contract, stage)]
        assert sorted(map(repr, found)) == sorted(map(repr, wanted))
        assert {rule.severity for rule in found} == {Severity.ERROR, Severity.WARN}


@pytest.mark.parametrize("name", datasets.names())
def test_keys_and_promises_come_back_as_they_were_declared(name: str) -> None:
    contract = datasets.load(name).contract
    shown = read_again(contract)
    for table, declared in zip(shown.schema_ or [], (contract.key, (contract.features.entity,)), strict=True):
        assert odcs_reading.key_of(table) == declared
    assert [odcs_reading.partition_of(table) for table in shown.schema_ or []] == [("event_date",), ("ds",)]
    assert odcs_reading.freshness_of(shown) == contract.freshness
    assert odcs_reading.days_of(shown, "retention") == contract.retention_days
    assert odcs_reading.days_of(shown, "lateness", contract.every[0]) == contract.lateness


def test_a_changed_declaration_comes_back_changed() -> None:
    """Otherwise the test above would also pass on constants."""
    changed = replace(
        EVENTS,
        key=("user_id", "transaction_id"),
        freshness=Freshness(hours=7, severity=Severity.WARN),
        lateness_days=3,
        retention_days=90,
        rules=(Rule("ExpectColumnKLDivergenceToBeLessThan", {"column": "age", "threshold": 0.5}, Severity.WARN),),
    )
    shown = read_again(changed)
    processed = (shown.schema_ or [])[0]
    assert odcs_reading.key_of(processed) == ("user_id", "transaction_id")
    assert odcs_reading.freshness_of(shown) == changed.freshness
    assert (odcs_reading.days_of(shown, "lateness"), odcs_reading.days_of(shown, "retention")) == (3, 90)
    assert changed.rules[0] in odcs_reading.rules_of(processed, "processed")


@pytest.mark.parametrize(
    ("said", "refused"),
    [
        (DataQuality(engine="soda", implementation="checks: []"), "'soda'"),
        (DataQuality(engine=odcs.ENGINE, implementation={"type": "expect_the_best"}), "'expect_the_best'"),
        (DataQuality(engine=odcs.ENGINE, implementation="text"), "'text'"),
    ],
)
def test_a_rule_unknown_to_great_expectations_is_refused(said: DataQuality, refused: str) -> None:
    with pytest.raises(ContractDeclarationError, match=refused):
        odcs_reading.rule_of(said, "processed")


def test_a_promise_in_another_unit_is_refused() -> None:
    shown = read_again(EVENTS)
    for promise in shown.slaProperties or []:
        promise.unit = "s"
    with pytest.raises(ContractDeclarationError, match=r"freshness in \['s'\]; expected it once, in 'h'"):
        odcs_reading.freshness_of(shown)


@pytest.mark.parametrize(
    ("expectation", "type_"),
    [
        ("ExpectColumnKLDivergenceToBeLessThan", "expect_column_kl_divergence_to_be_less_than"),
        ("ExpectColumnPairValuesAToBeGreaterThanB", "expect_column_pair_values_a_to_be_greater_than_b"),
        ("UnexpectedRowsExpectation", "unexpected_rows_expectation"),
    ],
)
def test_any_stock_expectation_has_a_plain_form(expectation: str, type_: str) -> None:
    rule = Rule(expectation, {"limit": Decimal("0.5"), "pair": ("a", 1), "column": "age"})
    shown = odcs.quality_of(rule).implementation
    assert yaml.safe_load(yaml.dump(shown)) == {
        "type": type_,
        "kwargs": {"limit": 0.5, "pair": ["a", 1], "column": "age"},
    }


def test_the_promises_are_numbers_with_units() -> None:
    def promises(contract: Contract) -> dict[str | None, tuple[Any, ...]]:
        found = read_again(contract).slaProperties or []
        return {each.property: (each.value, each.unit, each.element) for each in found}

    event_time = "processed_transactions.timestamp"
    assert promises(EVENTS) == {
        "freshness": (24, "h", event_time),
        "lateness": (7, "d", event_time),
        "retention": (400, "d", None),
    }
    assert promises(SNAPSHOT) == {"freshness": (24, "h", None), "retention": (400, "d", None)}


def test_the_owner_and_the_tags_are_written() -> None:
    shown = read_again(EVENTS)
    assert (shown.team.name, shown.tags) == ("payments team", ["sales", "events"])
    unowned = read_again(replace(EVENTS, owner="", tags=()))
    assert (unowned.team, unowned.tags) == (None, None)
