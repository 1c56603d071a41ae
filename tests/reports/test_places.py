"""Pages lie beside the lake that they are about."""

import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_make_contracts_writes_beside_the_lake(tmp_path: Path) -> None:
    lake = tmp_path / "my data" / "lake"
    command = ["make", "-s", "-o", "environment", "contracts", f"LAKE={lake}"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=60)
    written = sorted((lake.parent / "contracts").iterdir())
    assert done.stdout.splitlines() == [str(path) for path in written]
    assert "churn.md" in {path.name for path in written}
