from collections.abc import Callable
from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from common.contracts import layout
from common.contracts.aggregates import ActiveDays, Aggregate, Count, DatePart, FeatureRatio, Mean, Pick, Share, Sum
from common.contracts.contract import Column, Contract, Feature, Features, Files
from common.contracts.expectations import Drift
from common.contracts.suite import rules_of
from common.days import from_text
from common.errors import ContractDeclarationError
from jobs.datasets.transactions.contract import CONTRACT


def column(name: str = "amount", type: str = "long", **declared: Any) -> Column:
    return Column(name=name, type=type, description="", **declared)


def contract(**declared: Any) -> Contract:
    columns = (
        column("id", "string", required=True),
        column("at", "timestamp", required=True),
        column("amount"),
        column("rate", "double"),
    )
    features = Features(version=1, entity="id", columns=(Feature("spend", Sum(7, "amount")),))
    wanted = {
        "name": "orders",
        "description": "",
        "columns": columns,
        "key": ("id",),
        "event_time": "at",
        "features": features,
    }
    return Contract(**{**wanted, **declared})


@pytest.mark.parametrize(
    ("declared", "both_sides"),
    [
        ({"type": "number"}, "'number'.*decimal"),
        ({"name": "Amount"}, "lower case"),
        ({"name": "arrived"}, "pipeline adds"),
        ({"minimum": 5, "maximum": 1}, "minimum 5.*maximum 1"),
        ({"minimum": 0, "above": 0}, "both minimum and above"),
        ({"type": "string", "maximum": 9}, "range.*string"),
        ({"values": ("a",)}, "strings.*long"),
        ({"type": "string", "lower": True, "values": ("Food",)}, "Food.*can never match"),
        ({"formats": ("dd.MM.yyyy",)}, "formats.*long"),
    ],
)
def test_a_contradictory_column_fails_when_declared(declared: dict[str, Any], both_sides: str) -> None:
    with pytest.raises(ContractDeclarationError, match=both_sides):
        column(**declared)


def by(entity: str, **declared: Any) -> dict[str, Any]:
    """Orders by shop or city, which may be null."""
    columns = (
        column("id", "string", required=True),
        column("at", "timestamp", required=True),
        column("shop", "string"),
    )
    features = Features(version=1, entity=entity, columns=(Feature("orders", Count(7)),))
    return {"columns": columns, "derived": (column("city", "string"),), "features": features, **declared}


@pytest.mark.parametrize(
    ("declared", "both_sides"),
    [
        ({"key": ("nobody",)}, "nobody.*'id', 'at', 'amount'"),
        ({"key": ("amount",)}, "'amount'.*never missing"),
        ({"key": ()}, "no key"),
        ({"every": "hours"}, "every='hours' is unknown.*did you mean hour"),
        ({"every": "hour", "lateness_days": 1}, 'lateness_days is declared, but every="hour"; declare lateness_hours'),
        ({"lateness_hours": 1}, 'lateness_hours is declared, but every="day"; declare lateness_days'),
        ({"every": "hour", "lateness_hours": -1}, "lateness_hours -1 is under 0"),
        ({"every": "hour", "drift": Drift(since=date(2026, 1, 1))}, "since=2026-01-01 is a day"),
        ({"closed": ("2026-12-25T13",)}, "closed names"),
        (
            {
                "every": "hour",
                "columns": (column("id", "string", required=True), column("at", "date", required=True), column()),
            },
            "'at' is a date, which names no hour",
        ),
        (
            {"every": "hour", "features": Features(version=1, entity="id", columns=(Feature("days", ActiveDays(7)),))},
            "'days'.*count days",
        ),
        ({"event_time": "amount"}, "'amount'.*timestamp"),
        ({"event_time": None}, "windows need an event_time"),
        ({"event_time": None, "lateness_days": 3}, "snapshot.*lateness_days"),
        ({"refused_share": 0}, "refused_share 0"),
        ({"retention_days": 7}, "retention_days 7"),
        ({"duplicate_share": 1.5}, "duplicate_share 1.5"),
        ({"zone": "Europe/Atlantis"}, "'Europe/Atlantis'.*Europe/Berlin"),
        ({"winner": ("size",)}, "size"),
        ({"columns": (column("id", "string", required=True), column("id", "string"))}, "declared twice"),
        (by("shop"), "entity 'shop' may be null.*required=True.*null_entity='drop'"),
        (by("shop", null_entity="keep"), "'keep' is unknown; expected 'drop' .*'refuse'"),
        (by("id", null_entity="drop"), "'id' is required, so null_entity='drop' never applies"),
        (by("city", null_entity="refuse"), "'city' is derived.*null_entity='drop'"),
    ],
)
def test_a_contract_that_contradicts_itself_names_both_sides(declared: dict[str, Any], both_sides: str) -> None:
    with pytest.raises(ContractDeclarationError, match=both_sides):
        contract(**declared)


@pytest.mark.parametrize(
    ("columns", "both_sides"),
    [
        ((Feature("spend", Sum(7, "size")),), r"'spend'.*\['size'\].*'amount'"),
        ((Feature("n", Count(7)), Feature("n", Count(30))), "'n'.*twice"),
        ((Feature("id", Count(7)),), "'id'.*key"),
        ((Feature("n", Count(7)), Feature("share", FeatureRatio("n", "m"))), r"divides \['m'\]"),
        ((Feature("n", Count(7)), Feature("amount", Pick("amount"))), "amount on ds.*event feature table"),
        ((Feature("ids", Sum(7, "id")),), "'ids'.*needs.*'decimal'.*it is string"),
        ((Feature("spend", Sum(7, "rate")),), "'spend'.*is double; .*: declare rate, or a measure .*, as decimal"),
        ((Feature("spend", Mean(7, "rate")),), "'spend'.*is double; .*: declare rate, or a measure .*, as decimal"),
        ((Feature("often", Share(7, "amount")),), "'often'.*needs.*'boolean'.*it is"),
    ],
)
def test_features_that_cannot_be_computed_fail_when_declared(columns: tuple[Feature, ...], both_sides: str) -> None:
    with pytest.raises(ContractDeclarationError, match=both_sides):
        contract(features=Features(version=1, entity="id", columns=columns))


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        (lambda: Count(0), "last 0 days"),
        (lambda: DatePart("hour"), "'hour'"),
        (lambda: Share(7, "gift", of="some"), "of 'some'.*'all' or 'known'"),
    ],
)
def test_a_meaningless_feature_fails_when_declared(rule: Callable[[], Aggregate], said: str) -> None:
    with pytest.raises(ContractDeclarationError, match=said):
        rule()


def test_a_snapshot_has_one_row_per_entity() -> None:
    columns = (Feature("name", Pick("id")),)
    with pytest.raises(ContractDeclarationError, match="key is .*'id'.*entity 'amount'"):
        contract(event_time=None, lateness_days=0, features=Features(version=1, entity="amount", columns=columns))


def test_a_source_is_declared_in_known_words() -> None:
    with pytest.raises(ContractDeclarationError, match="ignore"):
        Files(on_bad_file="ignore")
    with pytest.raises(ContractDeclarationError, match="one character"):
        Files(delimiter="||")
    with pytest.raises(ContractDeclarationError, match="utf-9"):
        Files(encoding="utf-9")


def test_rows_without_an_entity_are_refused_by_declaration() -> None:
    declared = contract(**by("shop", null_entity="refuse"))
    assert declared.column("shop").required
    assert replace(declared, lateness_days=1).column("shop").required
    kept = contract(**by("shop", null_entity="drop"))
    assert not kept.column("shop").required


def test_features_that_share_a_state_share_it() -> None:
    assert layout.states(CONTRACT) == {
        "sum_purchase_amount": "decimal(22,2)",
        "count_purchase_amount": "long",
        "max_purchase_amount": "decimal(12,2)",
        "values_category": "array<struct<value:string,count:long>>",
        "true_weekend": "long",
        "last_age": "struct<time:timestamp,value:int>",
    }


def test_a_share_says_what_a_null_counts_as() -> None:
    of_all, of_known = Share(30, "weekend"), Share(30, "weekend", of="known")
    assert of_all.words == "share of events with weekend over the last 30 days", "stored in commits"
    assert of_known.words == f"{of_all.words}, of those where it is known"
    features = replace(CONTRACT.features, columns=(Feature("weekend_share", of_known),))
    assert layout.states(replace(CONTRACT, features=features)) == {"count_weekend": "long", "true_weekend": "long"}


def test_a_window_that_ended_before_says_so_and_reaches_back() -> None:
    before = Count(7, ago=7)
    assert (Count(7).words, before.words) == ("events in the last 7 days", "events in the last 7 days, 7 days before")
    assert replace(CONTRACT.features, columns=(Feature("before", before),)).window_days == 14
    with pytest.raises(ContractDeclarationError, match="ago -1 is not allowed"):
        Count(7, ago=-1)


def test_the_window_is_as_long_as_the_longest_feature() -> None:
    assert CONTRACT.features.window_days == 30


def test_every_column_constraint_is_a_rule_of_processed() -> None:
    found = {(rule.expectation, rule.column) for rule in rules_of(CONTRACT, "processed")}
    assert {
        ("ExpectColumnValuesToBeUnique", "transaction_id"),
        ("ExpectColumnValuesToNotBeNull", "purchase_amount"),
        ("ExpectColumnValuesToBeBetween", "purchase_amount"),
        ("ExpectColumnValuesToBeBetween", "age"),
        ("ExpectColumnValuesToBeInSet", "category"),
    } <= found


def test_an_hourly_contract_says_hours_and_has_periods_of_text() -> None:
    hourly = contract(every="hour", lateness_hours=3)
    assert [feature.rule.words for feature in hourly.features.columns] == ["sum of amount over the last 7 hours"]
    assert (hourly.lateness, contract(lateness_days=2).lateness) == (3, 2)
    assert dict(layout.processed(hourly).columns)["event_date"] == "string"
    assert dict(layout.processed(contract()).columns)["event_date"] == "date"


def test_hours_are_closed_by_weekday_by_day_or_by_themselves() -> None:
    closed = contract(every="hour", closed=("sun", "2026-12-25", "2026-01-05T13"))
    hours = ("2026-01-04T23", "2026-12-25T00", "2026-01-05T13", "2026-01-05T14")
    assert [closed.is_closed(from_text(hour)) for hour in hours] == [True, True, True, False]
    nights = contract(every="hour", closed=lambda hour: hour.hour < 6)
    assert [nights.is_closed(from_text(f"2026-01-05T{hour}")) for hour in ("05", "06")] == [True, False]
