"""A contract as the console shows it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from common.console.declared import contract_facts, definition, feature_words
from common.contracts.aggregates import Share
from common.contracts.checking.source_code import source_code
from common.contracts.entity import DROP
from jobs.datasets.churn.contract import CONTRACT as SNAPSHOT
from jobs.datasets.transactions.contract import CONTRACT as EVENTS

CONTRACT = "from common.contracts.contract import Contract\nCONTRACT = Contract(name='a'{})\n"


def test_columns_rules_and_features_are_shown_in_words() -> None:
    shown = contract_facts(EVENTS)
    columns = {name: (type_, demanded) for name, type_, demanded, *_ in shown["columns"]}
    assert columns["purchase_amount"] == ("decimal(12,2)", "present; > 0; ≤ 100000")
    assert columns["category"][1] == "present; one of electronics, clothing, home, food, sports, in any case"
    assert any(rule[:3] == ["processed", "error", "category"] for rule in shown["rules"])
    features = {feature["name"]: feature["words"] for feature in feature_words(EVENTS)}
    assert features["spend_share_7d"] == "spend_7d / spend_30d, 0.0 where the divisor is 0 or missing"
    assert features["weekend_share_30d"].endswith("; a null counts as false")
    assert not definition(Share(30, "weekend", of="known")).endswith("false")


def test_what_is_sensitive_is_named() -> None:
    sensitive = {name: marked for name, *_, marked in contract_facts(SNAPSHOT)["columns"]}
    assert [name for name, marked in sensitive.items() if marked] == ["customer_id"]


def test_rows_without_an_entity_are_explained() -> None:
    assert "Rows" not in dict(contract_facts(EVENTS)["terms"])
    columns = tuple(replace(column, required=column.name != "user_id") for column in EVENTS.columns)
    dropping = replace(EVENTS, columns=columns, null_entity=DROP)
    assert dict(contract_facts(dropping)["terms"])["Rows"] == "kept without user_id, and count in no feature"


def test_another_owner_makes_no_day_stale(tmp_path: Path) -> None:
    texts = []
    for number, said in enumerate(("", ", owner='a team'", ", owner='b', tags=('x', 'y')", ", zone='UTC'")):
        file = tmp_path / f"contract_{number}.py"
        file.write_text(CONTRACT.format(said))
        texts.append(source_code(file))
    assert texts[0] == texts[1] == texts[2] != texts[3]
