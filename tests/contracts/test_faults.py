"""A dataset's own faults are exit 2 in one line, with the file and the line, before anything runs."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from common.contracts import datasets
from common.errors import UsageError
from common.orchestration.cli import plan
from common.reports import status
from common.reports.check_dataset import faults_of
from common.training.training_set import declared_training_set
from tests.support.datasets import datasets_in, spoil

ROOT = Path(__file__).resolve().parents[2]
DAY = {"ds": "2026-01-05", "long_range": False, "lake": None, "landing": None, "env": "local", "full_refresh": False}


def fault() -> str:
    with pytest.raises(UsageError) as raised:
        plan("clean", {**DAY, "dataset": "visits"})
    assert raised.value.exit_code == 2
    assert "\n" not in str(raised.value)
    return str(raised.value)


@pytest.mark.parametrize(
    ("file", "old", "new", "expected"),
    [
        ("contract.py", "refused_share=0.5,", "refused_share=0.5", "visits/contract.py:{line}: invalid syntax"),
        ("contract.py", 'type="double", minimum', 'tpye="double", minimum', "Column has no argument 'tpye' (did you mean type?)"),
        ("contract.py", 'type="double", minimum', 'tpye="double", minimum', "visits/contract.py:{line}: "),
        ("contract.py", 'description="Visits to the shop.",', "zone='',", "visits/contract.py:5: Contract needs 'description'"),
        ("contract.py", "Count(3)", "Cuont(3)", "visits/contract.py:{line}: NameError: name 'Cuont' is not defined"),
        ("contract.py", "import Count, Max", "import Cuont, Max", "visits/contract.py:{line}: ImportError: cannot import name"),
        ("contract.py", 'type="long"', 'type="number"', "visits/contract.py:{line}: column 'visit_id': type 'number'"),
        ("contract.py", "CONTRACT = ", "import sys\nsys.exit()\nCONTRACT = ", "contract.py:6: it ends Python with sys.exit"),
        ("contract.py", "refused_share=0.5", "closed=lambda: True", "closed=<lambda> can't be called with one argument"),
        ("contract.py", 'name="visits"', 'name="visit"', "visits/contract.py: the folder 'visits' declares"),
        ("contract.py", "CONTRACT = ", "CONTRAKT = ", "visits/contract.py defines no CONTRACT (did you mean CONTRAKT?)"),
        ("transforms.py", "/ 60", "/ ", "visits/transforms.py:{line}: invalid syntax"),
        ("transforms.py", "def measure", "def meassure", "visits/transforms.py defines no measure (did you mean meassure?)"),
    ],
)  # fmt: skip
def test_a_fault_is_named_with_file_and_line(visits: Path, file: str, old: str, new: str, expected: str) -> None:
    spoil(visits / file, old, new)
    line = (visits / file).read_text().partition(new)[0].count("\n") + 1
    assert expected.format(line=line) in fault()


def test_a_message_of_several_lines_is_told_in_one(visits: Path) -> None:
    spoil(visits / "contract.py", "CONTRACT = ", 'raise ValueError("too\\n  many")\nCONTRACT = ')
    assert fault() == "visits/contract.py:5: ValueError: too many"


def test_a_missing_transforms_module_is_named(visits: Path) -> None:
    (visits / "transforms.py").unlink()
    assert "visits/transforms.py is missing; write it" in fault()


def test_a_fault_of_a_module_beside_the_contract_is_named(visits: Path) -> None:
    (visits / "rates.py").write_text("RATE = 1\nTAX = RATE / 0\n")
    spoil(
        visits / "contract.py",
        "from common.contracts.aggregates",
        "from jobs.datasets.visits import rates\nfrom common.contracts.aggregates",
    )
    assert fault() == "visits/rates.py:2: ZeroDivisionError: division by zero"


def test_a_transforms_module_is_imported_before_spark_jobs(visits: Path) -> None:
    spoil(visits / "transforms.py", "def derive", "PER_HOUR = MINUTES\n\n\ndef derive")
    dataset = datasets.load("visits")
    with pytest.raises(UsageError, match=r"visits/transforms.py:6: NameError: name 'MINUTES' is not defined"):
        dataset.require_sound(with_spark=True)


def test_a_faulty_training_module_is_named(visits: Path) -> None:
    (visits / "training.py").write_text(
        "from common.training.steps import Clip\n\nTRAINING_SETS = (Clip('minutes'),)\n"
    )
    with pytest.raises(UsageError, match=r"visits/training.py:3: Clip of minutes: neither bounds nor quantiles"):
        declared_training_set(datasets.load("visits"), "any")


def test_a_job_ends_with_2_and_one_line(visits: Path) -> None:
    spoil(visits / "contract.py", "Count(3)", "Count(days=3, colum=4)")
    done = subprocess.run(
        [sys.executable, str(ROOT / "jobs/publish.py"), "--dataset", "visits", "--ds", "2026-01-05", "--lake", "lake"],
        env={**os.environ, "DATASETS": str(visits.parent), "PYTHONPATH": str(ROOT)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert "contract.py:22: Count has no argument 'colum'; it has days" in json.loads(done.stdout)["message"]
    assert not Path("lake").exists()


def test_a_misspelled_column_in_derive_is_the_datasets_fault(visits: Path, spark: object) -> None:
    from pyspark.sql import SparkSession

    assert isinstance(spark, SparkSession)
    spoil(visits / "transforms.py", 'F.col("minutes")', 'F.col("minuts")')
    rows = spark.createDataFrame([(1, 90.0)], "visit_id long, minutes double")
    with pytest.raises(UsageError) as raised:
        datasets.load("visits").derive(rows)
    assert str(raised.value) == (
        "visits/transforms.py:7: derive: column 'minuts' is unknown (did you mean minutes?); the rows have visit_id, minutes"
    )


@pytest.mark.parametrize("name", ["x.y", "a b", "Upper", "1x", "\x1b[2J", "a\nb", "\udcff", "__init__", "a" * 64])
def test_a_folder_of_another_form_of_name_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    """Before anything of it is imported; the status of the others is shown."""
    folder = tmp_path / name
    folder.mkdir()
    (folder / "contract.py").write_text("raise KeyboardInterrupt\n")
    monkeypatch.setenv("LAKE", str(tmp_path / "lake"))
    with datasets_in(tmp_path):
        for ask in (datasets.load, faults_of):
            with pytest.raises(UsageError, match="a dataset's folder is named with lower-case letters, digits and _"):
                ask(name)
        monkeypatch.setattr(sys, "argv", ["status"])
        status.main()
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) >= 3
    assert all(line.isprintable() for line in lines)
