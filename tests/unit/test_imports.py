"""The house: who may import whom, and when."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def imported(path: Path) -> set[str]:
    tree = ast.parse(path.read_text())
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
    return names


def test_common_never_imports_jobs_nor_names_a_dataset() -> None:
    for path in (ROOT / "common").glob("*.py"):
        assert not {name for name in imported(path) if name.split(".")[0] == "jobs"}, path
        assert "transactions" not in path.read_text(), path
        assert "churn" not in path.read_text(), path


def test_only_the_tables_modules_touch_delta() -> None:
    touching = {
        path.name
        for folder in ("common", "jobs")
        for path in (ROOT / folder).rglob("*.py")
        if {name.split(".")[0] for name in imported(path)} & {"delta", "deltalake"}
    }
    with_spark = {"tables.py", "converge.py"}
    without = {"history.py", "ledger.py", "compaction.py", "publishing.py", "stored.py", "training_store.py"}
    assert touching == with_spark | without | {"baseline.py"}  # a model's own table of predictions


@pytest.mark.parametrize(
    "module",
    ["jobs.datasets.transactions.contract", "common.layout", "common.rules", "common.reports.status", "jobs.maintain"],
)
def test_what_reads_contracts_starts_no_spark(module: str) -> None:
    code = f"import sys, {module}; sys.exit(bool({{'pyspark', 'great_expectations'}} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


def test_a_job_that_has_nothing_to_do_never_imports_great_expectations() -> None:
    code = "import sys, jobs.backfill; sys.exit('great_expectations' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


def test_no_module_is_long() -> None:
    long = {
        str(path.relative_to(ROOT)): count
        for folder in ("common", "jobs")
        for path in (ROOT / folder).rglob("*.py")
        if (count := len(path.read_text().splitlines())) > 250
    }
    assert long == {}


def test_no_address_stands_in_a_lock() -> None:
    for lock in (ROOT / "conf" / "requirements").glob("*.txt"):
        assert "://" not in lock.read_text(), lock
        assert "--hash=sha256:" in lock.read_text(), lock
