"""One lake for all tests of the console, because it takes seconds to write."""

from __future__ import annotations

from pathlib import Path

import pytest

from common.console import page
from common.runtime.settings import Settings, load_settings
from tests.support.console_lake import ConsoleLake, write_console_lake

DAYS = 40


@pytest.fixture(scope="session")
def lakes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, ConsoleLake]:
    written = write_console_lake(tmp_path_factory.mktemp("console"), ("transactions", "churn"), DAYS)
    return {lake.dataset: lake for lake in written}


@pytest.fixture(scope="session")
def console_settings(lakes: dict[str, ConsoleLake]) -> Settings:
    lake = lakes["transactions"]
    return load_settings("local", lake=lake.lake, landing=lake.landing, online=f"sqlite:///{lake.root}/online.db")


@pytest.fixture(scope="session")
def console_page(console_settings: Settings, lakes: dict[str, ConsoleLake]) -> Path:
    return page.write_console(console_settings, lakes["transactions"].root / "console")[0]
