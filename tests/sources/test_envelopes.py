"""What an envelope says of a change, and what is wrong with one that says nothing."""

from __future__ import annotations

import json
from typing import Any

import pyarrow as pa
import pytest

from common.contracts.aggregates import Pick
from common.contracts.changes import CHANGE_COLUMNS, Debezium
from common.contracts.contract import Column, Contract, Feature, Features
from common.errors import ContractDeclarationError
from common.sources.envelopes import Envelopes
from common.sources.files.json_records import JsonObjects
from common.sources.kafka.messages import MessageReader
from common.sources.kafka.topic import Kafka
from tests.support.changes import change

COLUMNS = (
    Column(name="user_id", type="long", required=True, description="The customer"),
    Column(name="segment", type="string", description="What they are to us"),
    *CHANGE_COLUMNS,
)


def objects(position: str = "lsn") -> JsonObjects:
    names = [column.name for column in COLUMNS]
    return JsonObjects(names, lambda found: found, 10_000, COLUMNS, Envelopes(position, ("user_id",)))


def read(envelope: Any, position: str = "lsn") -> Any:
    """The record's texts, or its problem."""
    parser = objects(position)
    problem, fields = parser.fields(envelope if isinstance(envelope, str) else json.dumps(envelope))
    return problem or parser.row(fields)


@pytest.mark.parametrize("op", ["c", "u", "r"])
def test_a_row_is_what_it_is_after_the_change(op: str) -> None:
    assert read(change(op, 1, 7, "gold")) == ["1", "gold", "7", "false"]


def test_of_a_deleted_row_only_the_key_is_kept() -> None:
    whole = change("d", 1, 8, before={"user_id": 1, "segment": "gold"})
    assert read(change("d", 1, 8)) == read(whole) == ["1", None, "8", "true"]


def test_an_envelope_is_the_same_beside_its_schema() -> None:
    plain = change("u", 1, 7, "gold")
    assert read({"schema": {"type": "struct"}, "payload": plain}) == read(plain)


@pytest.mark.parametrize("text", ["null", '{"schema": null, "payload": null}', '{"payload": null}'])
def test_a_tombstone_is_no_record(text: str) -> None:
    parser = objects()
    problem, _ = parser.fields(text)
    assert not parser.is_record(problem)


def test_numbers_keep_the_text_that_was_sent() -> None:
    text = '{"op": "c", "after": {"user_id": 1, "segment": 1.10}, "source": {"lsn": 9007199254740993}}'
    assert read(text) == ["1", "1.10", "9007199254740993", "false"]


def test_the_position_is_the_declared_field_of_the_source() -> None:
    assert read(change("c", 1, 7, source={"lsn": 1, "ts_ms": 5}), "ts_ms")[2] == "5"


@pytest.mark.parametrize(
    ("envelope", "problem"),
    [
        ("{", "not_json"),
        ("[]", "not_an_envelope"),
        ("[[1, 2]]", "not_an_envelope"),
        ("7", "not_an_envelope"),
        ('{"user_id": 1}', "not_an_envelope"),
        ('{"op": "c", "op": "d"}', "name_twice"),
        (change("t", 1, 7), "unknown_op"),
        ({**change("c", 1, 7), "op": ["c"]}, "unknown_op"),
        (change("c", 1, 7, after=None), "no_after"),
        (change("u", 1, 7, after=[1]), "no_after"),
        (change("d", 1, 7, before=None), "no_before"),
        (change("d", 1, 7, before={}), "no_before"),
        (change("c", 1, 7, source=None), "no_position"),
        (change("c", 1, 7, source=[]), "no_position"),
        (change("c", 1, 7, source={"lsn": None}), "no_position"),
        (change("c", 1, 7, source={"lsn": 1.5}), "no_position"),
        (change("c", 1, 7, source={"lsn": True}), "no_position"),
        (change("u", 1, 7, "__debezium_unavailable_value"), "unavailable_value"),
        (change("c", 1, 7, after={"user_id": {"a": 1}}), "nested_value"),
        ('{"op": "c", "after": {"user_id": 1, "user_id": 2}, "source": {"lsn": 1}}', "name_twice"),
    ],
)
def test_what_is_wrong_with_an_envelope_is_named(envelope: Any, problem: str) -> None:
    assert read(envelope) == problem


def test_messages_of_a_topic_are_the_same_records() -> None:
    changes = [change("c", 1, 7, "gold"), None, {"op": "x"}, change("d", 1, 8)]
    values = [None if each is None else json.dumps(each).encode() for each in changes]
    sent = {"partition": [0] * 4, "value": values, "key": [b"1"] * 4}
    contract = Contract(
        name="customers",
        description="Customers.",
        source=Kafka(cluster="shop", topic="customers", changes=Debezium()),
        columns=COLUMNS[:2],
        key=("user_id",),
        features=Features(version=1, entity="user_id", columns=(Feature("segment", Pick("segment")),)),
    )
    reader = MessageReader(contract, "customers", 1_000)
    read = pa.Table.from_batches([*reader.batches(iter([pa.RecordBatch.from_pydict(sent)]))]).to_pylist()
    found = [(row["problem"], row["user_id"], row["segment"], row["change_position"]) for row in read if row["lines"]]
    # The tombstone is a line, so that the topic's offsets add up, and no record.
    assert found == [
        (None, "1", "gold", "7"),
        (None, "1", None, "8"),
        ("unknown_op", None, None, None),
        ("", *[None] * 3),
    ]
    assert sum(row["lines"] for row in read) == 4


def test_a_change_says_itself_what_it_deletes() -> None:
    with pytest.raises(ContractDeclarationError, match="a change says itself what it deletes"):
        Kafka(cluster="shop", topic="customers", changes=Debezium(), key_as="id", deleted_as="gone")
