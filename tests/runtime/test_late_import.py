"""A module is imported at its first use, and whoever imports it as usual gets the module itself."""

import subprocess
import sys
from types import ModuleType

import pytest

from common.runtime.late_import import imported_late

NAME = "colorsys"  # of the standard library, and nobody here needs it


@pytest.fixture(autouse=True)
def unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, NAME, raising=False)


def imported() -> ModuleType:
    import colorsys

    return colorsys


def test_a_module_is_imported_at_its_first_use() -> None:
    with imported_late(NAME):
        later = imported()
    assert NAME not in sys.modules
    assert later.rgb_to_hsv(0, 0, 0) == (0.0, 0.0, 0)
    assert sys.modules[NAME] is imported() is not later


def test_a_use_within_the_block_finds_the_module() -> None:
    with imported_late(NAME):
        assert imported().rgb_to_hsv(0, 0, 0) == (0.0, 0.0, 0)
        itself = sys.modules[NAME]
    assert imported() is itself


def test_a_module_that_is_imported_already_stays() -> None:
    itself = imported()
    with imported_late(NAME):
        assert imported() is itself
    assert imported() is itself


def test_great_expectations_loads_no_scipy_before_it_needs_it() -> None:
    code = "import sys; from common.quality.gx import library; library(); sys.exit('scipy.stats' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0
