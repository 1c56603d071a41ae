"""Encrypted connections to real servers, whose certificate an authority of the test's own has signed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from common.errors import UsageError
from common.sources.databases.jdbc import Jdbc
from common.sources.kafka.topic import Kafka
from tests.support.certificates import Certificates, authority, certificates
from tests.support.kafka import Broker, broker
from tests.support.landing import PURCHASE
from tests.support.play_lake import PlayLake
from tests.support.postgres import NotHereError, postgres

DAY = "2026-01-05"
ORDERS = Kafka(cluster="shop", topic="orders")
SALES = Jdbc(database="shop", table="sale", watermark="timestamp")


@pytest.fixture(scope="module")
def signed(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def cluster(spark: Any, signed: Certificates) -> Iterator[Broker]:
    both = signed.key.with_name("both.pem")
    both.write_text(signed.both)
    with broker(spark, both) as started:
        started.topic("orders")
        started.send("orders", json.dumps(PURCHASE), f"{DAY}T10:00:00Z")
        yield started


@pytest.fixture(scope="module")
def database(signed: Certificates) -> Iterator[str]:
    """Its address; it accepts no other connection than an encrypted one."""
    try:
        with postgres(signed) as address:
            with psycopg.connect(f"postgresql://{address}", autocommit=True) as connection:
                columns = ", ".join(f"{name} text" for name in PURCHASE if name != "timestamp")
                connection.execute(f"CREATE TABLE sale ({columns}, timestamp timestamptz)")
                values = [value for name, value in PURCHASE.items() if name != "timestamp"]
                connection.execute(
                    f"INSERT INTO sale VALUES ({', '.join(['%s'] * len(PURCHASE))})", [*values, PURCHASE["timestamp"]]
                )
            yield address
    except NotHereError as error:
        pytest.skip(str(error))


def accepted(lake: PlayLake, source: object) -> int:
    return int(lake.with_contract(source=source).ingest(DAY)["counts"]["accepted"])


@pytest.mark.slow
def test_a_broker_with_a_known_authority_is_read(
    lake: PlayLake, cluster: Broker, signed: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    login = f"kafka://ours:hu%3Bsh@{cluster.login_address}"
    monkeypatch.setenv("SHOP_KAFKA", f"{login}?ssl.truststore.type=PEM&ssl.truststore.location={signed.authority}")
    assert accepted(lake, ORDERS) == 1


@pytest.mark.slow
def test_a_broker_with_an_unknown_authority_is_refused(
    lake: PlayLake, cluster: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    login = f"kafka://ours:hu%3Bsh@{cluster.login_address}"
    other = f"{login}?ssl.truststore.type=PEM&ssl.truststore.location={authority(tmp_path, 'other')}"
    for address in (login, other):
        monkeypatch.setenv("SHOP_KAFKA", address)
        with pytest.raises(UsageError, match=r"don't trust each other: .* Set ssl.truststore.location in SHOP_KAFKA"):
            accepted(lake, ORDERS)
    assert lake.state() == {}


def test_a_database_with_a_known_authority_is_read(
    lake: PlayLake, database: str, signed: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOP_DATABASE", f"postgresql://{database}?sslmode=verify-full&sslrootcert={signed.authority}")
    assert accepted(lake, SALES) == 1


def test_a_database_with_an_unknown_authority_is_refused(
    lake: PlayLake, database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for trusted in (authority(tmp_path, "other"), tmp_path / "missing.pem"):
        monkeypatch.setenv("SHOP_DATABASE", f"postgresql://{database}?sslmode=verify-full&sslrootcert={trusted}")
        with pytest.raises(
            UsageError, match=r"that can be trusted: .* to SHOP_DATABASE, such as \?sslmode=verify-full"
        ):
            accepted(lake, SALES)
    assert lake.state() == {}
