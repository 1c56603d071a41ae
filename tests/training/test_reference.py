"""The contract reference is made from the code, and what it shows can be declared."""

import re
from contextlib import suppress
from dataclasses import fields, replace
from datetime import date
from inspect import signature
from typing import Any

import pytest

from common.contracts import aggregates, contract, expectations
from common.contracts.changes import Debezium
from common.contracts.checking.expectation_names import EXPECTATIONS
from common.contracts.contract import Column, Contract, Feature, Features
from common.contracts.documents.field_notes import AGGREGATE_ARGUMENTS, AGGREGATES
from common.contracts.documents.field_notes import NOTES as CONTRACT_NOTES
from common.contracts.documents.reference import CLASSES, arguments, section
from common.contracts.lookup import Lookup
from common.contracts.wording import rule_faults
from common.errors import ContractDeclarationError
from common.training import steps, training_set
from common.training.reference import ARGUMENTS, NOTES, PAGE, STEPS, page

DECLARED = {**vars(aggregates), "Lookup": Lookup}
WORDS = {
    **vars(contract), **DECLARED, **vars(expectations), **vars(training_set), **vars(steps),
    "Debezium": Debezium, "date": date,
}  # fmt: skip
ORDERS = Contract(
    name="orders",
    description="",
    columns=(
        Column(name="id", type="long", required=True, description=""),
        Column(name="at", type="timestamp", required=True, description=""),
    ),
    key=("id",),
    event_time="at",
    features=Features(version=1, entity="id", columns=(Feature("orders_7d", aggregates.Count(7)),)),
)
CUSTOMERS = replace(
    ORDERS,
    columns=ORDERS.columns[:1],
    event_time=None,
    features=Features(version=1, entity="id", columns=()),
)
NAMELESS = replace(
    ORDERS,
    columns=(*ORDERS.columns, Column(name="who", type="string", description="")),
    features=replace(ORDERS.features, entity="who"),
    null_entity="drop",
)
SPLIT = training_set.Split(seed="s")
# Each field is declared on one of these.
HOURLY = replace(ORDERS, every="hour", lateness_days=0)
PLAIN: dict[str, list[Any]] = {
    "Contract": [ORDERS, CUSTOMERS, NAMELESS, HOURLY],
    "Column": [Column(name="c", type=type_, description="") for type_ in ("string", "long", "date")],
    "Files": [contract.Files()],
    "Debezium": [Debezium()],
    "Features": [ORDERS.features],
    "Feature": [Feature("n", aggregates.Count(7))],
    "Rule": [expectations.Rule("ExpectColumnToExist")],
    "Freshness": [expectations.Freshness()],
    "Volume": [expectations.Volume()],
    "Drift": [expectations.Drift()],
    "Reference": [expectations.Reference(column="a", dataset="b", key="c")],
    "TrainingSet": [
        training_set.TrainingSet(name="t", description="", examples=examples, split=SPLIT, features=features)
        for examples, features in (
            (training_set.Snapshot(table="churn@v1", label="l"), ()),
            (training_set.Labels(entity="e", time="t", label="l"), (training_set.From(table="orders@v1"),)),
        )
    ],
    "Snapshot": [training_set.Snapshot(table="churn@v1", label="l")],
    "Labels": [training_set.Labels(entity="e", time="t", label="l")],
    "From": [training_set.From(table="orders@v1")],
    "Split": [training_set.Split(train_until=date(2026, 2, 1), val_until=date(2026, 2, 10)), SPLIT],
}  # fmt: skip
FIELDS = [
    (name, field, example)
    for name, notes in {**CONTRACT_NOTES, **NOTES}.items()
    for field, (_, example) in notes.items()
]


def test_the_committed_page_is_what_the_code_says() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run python -m common.training.reference"


@pytest.mark.parametrize(("name", "field", "example"), FIELDS, ids=[f"{name}.{field}" for name, field, _ in FIELDS])
def test_every_field_can_be_declared_as_shown(name: str, field: str, example: str) -> None:
    declared = eval(f"dict({example})", dict(WORDS))
    assert [*declared] == [field]
    taken = []
    for plain in PLAIN[name]:
        with suppress(ContractDeclarationError):
            taken.append(replace(plain, **declared))
    assert taken, f"{name} does not take {example}"


@pytest.mark.parametrize("call", [*AGGREGATES, *STEPS])
def test_every_aggregate_and_step_can_be_declared_as_shown(call: str) -> None:
    assert type(eval(call, dict(WORDS))).__name__ == call.partition("(")[0]


@pytest.mark.parametrize(
    ("argument", "call"), [(n, call) for n, (_, call) in [*AGGREGATE_ARGUMENTS.items(), *ARGUMENTS.items()]]
)
def test_every_argument_can_be_declared_as_shown(argument: str, call: str) -> None:
    declared, name = eval(call, dict(WORDS)), argument.rpartition(".")[2]
    assert f"{name}=" in call
    (field,) = (each for each in fields(declared) if each.name == name)
    assert getattr(declared, name) != field.default, "the example says something"


def test_no_argument_is_left_out() -> None:
    """Of each aggregate and step, as their own signatures have them."""
    tables = [part.partition("\n## ")[0] for part in PAGE.read_text(encoding="utf-8").split("Their arguments:")[1:]]
    rows = re.findall(r"^\| `(\w+)` \| ([\w, ]+) \|", "\n".join(tables), re.M)
    shown = {(name, argument) for argument, names in rows for name in names.split(", ")}
    calls = [call.partition("(")[0] for call in [*AGGREGATES, *STEPS]]
    assert shown == {(name, argument) for name in calls for argument in signature(eval(name, dict(WORDS))).parameters}
    with pytest.raises(ContractDeclarationError, match=r"\['value'\] and the notes about them disagree"):
        arguments({"Flag": aggregates.Flag}, {"column": ("", "")})


def test_no_aggregate_and_no_step_is_left_out() -> None:
    declarable = {
        name
        for name, one in DECLARED.items()
        if isinstance(one, type) and issubclass(one, aggregates.Aggregate) and not one.__subclasses__() and one.words
    }
    assert {call.partition("(")[0] for call in AGGREGATES} == declarable
    assert {call.partition("(")[0] for call in STEPS} == {*steps.__all__}


def test_every_expectation_is_shown_with_what_it_needs() -> None:
    section_of_rules = PAGE.read_text(encoding="utf-8").partition("## Expectations")[2].partition("\n## ")[0]
    rules = [eval(call, dict(WORDS)) for call in re.findall(r"`(Rule\(.*\))`", section_of_rules)]
    assert [rule.expectation for rule in rules] == [*EXPECTATIONS]
    assert [fault for rule in rules for fault in rule_faults(rule)] == []


def test_a_field_without_a_line_is_told() -> None:
    notes = {"Files": {"delimiter": CONTRACT_NOTES["Files"]["delimiter"]}}
    with pytest.raises(ContractDeclarationError, match=r"Files: the fields .*'encoding'.* disagree; add or remove"):
        section("Files", CLASSES["Files"], notes)
