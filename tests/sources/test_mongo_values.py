"""BSON becomes text without loss, after a way through its own encoding."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

import bson
import pytest
from bson import Binary, Decimal128, Int64, ObjectId
from bson.binary import UuidRepresentation
from bson.codec_options import CodecOptions, DatetimeConversion
from bson.datetime_ms import DatetimeMS

from common.errors import PipelineError, SourceUnreachableError, UsageError
from common.sources.mongo.bson_text import bson_text
from common.sources.mongo.connection import mongo_address

READ = CodecOptions(
    tz_aware=True,
    uuid_representation=UuidRepresentation.STANDARD,
    datetime_conversion=DatetimeConversion.DATETIME_AUTO,
)
ID = ObjectId("5f" * 12)
NESTED = [1, Int64(2**62), None, "", ID, Decimal128("1.10"), datetime(2026, 1, 5, tzinfo=UTC), float("inf")]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, None), ("", ""), (True, "true"), (Int64(2**62), "4611686018427387904"), (0.1, "0.1"),
        (float("nan"), "NaN"), (Decimal128("1.10"), "1.10"), (Decimal128("1E-30"), f"0.{'0' * 29}1"),
        (datetime(1, 1, 5, 10, 0, 0, 123000, UTC), "0001-01-05 10:00:00.123000Z"), (DatetimeMS(-10**15), "-1000000000000000 ms"),
        (ID, "5f" * 12), (b"\0\xff", "AP8="), (Binary.from_uuid(UUID(int=5)), str(UUID(int=5))),
        (NESTED, '[1,4611686018427387904,null,"",{"$oid":"5f5f5f5f5f5f5f5f5f5f5f5f"},{"$numberDecimal":"1.10"},'
         '{"$date":"2026-01-05T00:00:00Z"},{"$numberDouble":"Infinity"}]'),
    ],
)  # fmt: skip
def test_a_value_becomes_text_without_loss(value: object, text: str | None) -> None:
    stored = bson.decode(bson.encode({"value": value}), codec_options=READ)["value"]
    assert bson_text(stored) == text


def test_a_fraction_gets_the_mark_of_its_column() -> None:
    assert [bson_text(value, ",") for value in (1.5, Decimal128("1.10"), "a.b")] == ["1,5", "1,10", "a.b"]


@pytest.mark.parametrize(
    ("name", "message", "kind"),
    [
        ("OperationFailure", "Authentication failed., full error: {'code': 18}", SourceUnreachableError),
        ("OperationFailure", "not authorized, full error: {'code': 13}", UsageError),
        ("CursorNotFound", "cursor id 5 not found, full error: {'code': 43}", SourceUnreachableError),
        ("AutoReconnect", "connection closed", SourceUnreachableError),
        ("OperationFailure", "no, full error: {'code': 2}", PipelineError),
    ],
)
def test_an_error_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, name: str, message: str, kind: type[Exception]
) -> None:
    monkeypatch.setenv("SHOP_DATABASE", "mongodb://me:hush@db/shop")
    error = mongo_address("shop", 5).raised(f"PythonException: pymongo.errors.{name}: {message}")
    assert type(error) is kind
    assert "hush" not in str(error)


def test_a_refused_login_has_expired_if_it_was_taken_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_DATABASE", "mongodb://me:hush@db/shop")
    address, said = mongo_address("shop", 5), "Authentication failed., full error: {'code': 18}"
    assert isinstance(address.explained("OperationFailure", said), UsageError)
    while_read = address.raised(f"PythonException: pymongo.errors.OperationFailure: {said}")
    assert "the login of SHOP_DATABASE, which it took before; it has expired" in str(while_read)
