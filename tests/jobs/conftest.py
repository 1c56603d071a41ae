"""What tests of several sources share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.kafka import Broker, broker


@pytest.fixture(scope="module")
def kafka_server(spark: object) -> Iterator[Broker]:
    with broker(spark) as started:
        yield started


@pytest.fixture
def shop(kafka_server: Broker, monkeypatch: pytest.MonkeyPatch) -> Broker:
    """The cluster `shop`, with an empty topic of two partitions."""
    monkeypatch.setenv("SHOP_KAFKA", kafka_server.address)
    kafka_server.topic("orders", 2)
    return kafka_server
