"""How databases are addressed, asked and divided, without one."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from common.contracts import datasets
from common.errors import ContractDeclarationError, SourceUnreachableError, UsageError
from common.sources.databases.connection import explained
from common.sources.databases.dialects import DatabaseColumn, MariaDb, PostgreSql, address
from common.sources.databases.jdbc import Jdbc
from common.sources.databases.ranges import conditions

WHERE = "postgresql://me:p%40ss@db.example:6543/shop?sslmode=require"


def test_an_address_is_read_from_the_environment_or_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SHOP_DATABASE", WHERE)
    told = address("shop")
    assert told.url == "jdbc:postgresql://db.example:6543/shop"
    assert told.properties["password"] == "p@ss"
    assert told.properties["sslmode"] == "require"
    monkeypatch.delenv("SHOP_DATABASE")
    (tmp_path / "secret").write_text(f"{WHERE}\n")
    monkeypatch.setenv("SHOP_DATABASE_FILE", str(tmp_path / "secret"))
    assert address("shop") == told


def test_an_address_shows_no_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_DATABASE", WHERE)
    assert "@ss" not in repr(address("shop")) + address("shop").url


@pytest.mark.parametrize(
    ("variables", "told"),
    [
        ({}, "SHOP_DATABASE is not set; set it to postgresql://user:password@host:port/name"),
        ({"SHOP_DATABASE": "oracle://me:secret@host/x"}, "SHOP_DATABASE is no address of a database"),
        ({"SHOP_DATABASE": "mysql://me:secret@host:port/x"}, "SHOP_DATABASE is no address of a database"),
        ({"SHOP_DATABASE": "mysql://me:secret@host"}, "SHOP_DATABASE is no address of a database"),
        ({"SHOP_DATABASE_FILE": "/nowhere"}, "SHOP_DATABASE_FILE names /nowhere, which can't be read"),
    ],
)
def test_a_wrong_address_is_told_without_the_secret(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], told: str
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(UsageError) as error:
        address("shop")
    assert str(error.value).startswith(told)
    assert "secret" not in str(error.value)


@pytest.mark.parametrize(
    ("declared", "told"),
    [
        ({"database": "Shop"}, "database 'Shop' is not allowed"),
        ({"table": "sales."}, "table 'sales.' is not allowed"),
        ({"parallel": 0}, "parallel 0 is not allowed"),
        ({"parallel": 4}, "parallel=4 needs parallel_by"),
    ],
)
def test_a_contradictory_declaration_is_refused(declared: dict[str, Any], told: str) -> None:
    with pytest.raises(ContractDeclarationError, match=told):
        Jdbc(**{"database": "shop", "table": "orders", **declared})


def test_a_snapshot_contract_takes_no_watermark() -> None:
    churn, transactions = (datasets.load(name).contract for name in ("churn", "transactions"))
    changed = Jdbc(database="shop", table="orders", watermark="updated_at")
    with pytest.raises(ContractDeclarationError, match="so Jdbc must have no watermark"):
        replace(churn, source=changed)
    with pytest.raises(ContractDeclarationError, match="deleted is for a whole snapshot"):
        replace(transactions, source=replace(changed, deleted="gone"))


NUMBER, DAY, TIME = (DatabaseColumn("c", name, code) for name, code in (("int8", -5), ("date", 91), ("timestamp", 93)))


@pytest.mark.parametrize(
    ("column", "least", "most", "cuts"),
    [
        (NUMBER, "1", "100", ["25", "50", "75"]),
        (NUMBER, "-3", "-1", ["-2", "-1"]),
        (NUMBER, "7", "7", []),
        (NUMBER, None, None, []),
        (NUMBER, "NaN", "NaN", []),
        (DAY, "2026-01-01", "2026-01-09", [f"'2026-01-0{day} 00:00:00'" for day in (3, 5, 7)]),
        (TIME, "2026-01-01 00:00:00+00", "infinity", []),
    ],
)
def test_ranges_divide_every_row_once(
    column: DatabaseColumn, least: str | None, most: str | None, cuts: list[str]
) -> None:
    found = conditions("c", column, least, most, 4)
    if not cuts:
        assert found == ["1 = 1"]
        return
    inner = [f"c >= {low} AND c < {high}" for low, high in pairwise(cuts)]
    assert found == [f"c < {cuts[0]} OR c IS NULL", *inner, f"c >= {cuts[-1]}"]


def test_a_name_can_not_end_its_quotes() -> None:
    assert PostgreSql().quoted('a"; DROP') == '"a""; DROP"'
    assert MariaDb().quoted("a`; DROP") == "`a``; DROP`"


@pytest.mark.parametrize(
    ("state", "code", "kind", "to_do"),
    [
        ("28P01", 0, UsageError, "Correct SHOP_DATABASE"),
        ("42000", 1044, UsageError, "Correct SHOP_DATABASE"),
        ("42P01", 0, UsageError, "Correct the source in the contract"),
        ("42S02", 1146, UsageError, "Correct the source in the contract"),
        ("08001", 0, SourceUnreachableError, "run again later"),
        ("57P01", 0, SourceUnreachableError, "run again later"),
    ],
)
def test_an_error_of_the_database_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, state: str, code: int, kind: type[Exception], to_do: str
) -> None:
    monkeypatch.setenv("SHOP_DATABASE", WHERE)
    error = explained(address("shop"), state, code, "it\n  said so")
    assert type(error) is kind
    assert "it said so" in str(error)
    assert to_do in str(error)
