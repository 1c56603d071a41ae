"""Nothing that a dataset's code raises leaves `make check` or a job as a trace: it is one line with file and line."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from common.contracts import datasets
from common.errors import ContractDeclarationError
from common.reports import check_dataset
from common.reports.check_dataset import faults_of
from tests.support.datasets import spoil
from tests.support.visits import write_visits

ROOT = Path(__file__).resolve().parents[2]
RAISED = {
    "raise KeyboardInterrupt": "5: KeyboardInterrupt",
    "raise KeyboardInterrupt('now')": "5: KeyboardInterrupt: now",
    "import sys; sys.exit(7)": "5: it ends Python with sys.exit or exit()",
    "quit()": "5: it ends Python with sys.exit or exit()",
    "raise GeneratorExit": "5: GeneratorExit",
    "raise BaseException('x')": "5: BaseException: x",
    "class Odd(BaseException): pass\nraise Odd": "6: Odd",
    "def again(): again()\nagain()": "5: RecursionError: maximum recursion depth exceeded",
    "raise MemoryError": "5: MemoryError",
    "class Odd(Exception):\n    def __str__(self): raise ValueError\nraise Odd": "7: Odd",
    "class Odd(Exception):\n    def __str__(self): raise KeyboardInterrupt\nraise Odd": "7: Odd",
    "raise Exception('\\x1b[2J\\n{\"job\": 1}')": '5: Exception: \\x1b[2J {"job": 1}',
    "raise ExceptionGroup('both', [ValueError('x')])": "5: ExceptionGroup: both (1 sub-exception)",
    "import warnings; warnings.simplefilter('error'); warnings.warn('x')": "5: UserWarning: x",
    "import nosuchmodule": "5: ModuleNotFoundError: No module named 'nosuchmodule'",
    "import os; os.chdir('/nowhere')": "5: FileNotFoundError: [Errno 2] No such file or directory: '/nowhere'",
    "CONTRACT = 3; raise StopIteration": "5: StopIteration",
}


@pytest.mark.parametrize("statement", RAISED)
def test_whatever_a_contract_raises_is_told(
    visits: Path, statement: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    spoil(visits / "contract.py", "\nCONTRACT = Contract", f"\n{statement}\nCONTRACT = Contract")
    monkeypatch.setattr(sys, "argv", ["check", "visits"])
    with pytest.raises(SystemExit) as stopped:
        check_dataset.main()
    (line,) = capsys.readouterr().err.splitlines()
    assert stopped.value.code == 2
    assert line.startswith(f"visits/contract.py:{RAISED[statement]}")
    with pytest.raises(ContractDeclarationError, match=r"^visits/contract.py:\d: "):
        datasets.load("visits")


@pytest.mark.parametrize("statement", ["import pyspark", "from pyspark.sql import DataFrame"])
def test_a_contract_that_imports_spark_is_told(visits: Path, statement: str) -> None:
    """The schedules, the console and the reader read it where there is none."""
    spoil(visits / "contract.py", "\nCONTRACT = Contract", f"\n{statement}\nCONTRACT = Contract")
    told = ["visits/contract.py:5: a contract is read where there is no Spark; import pyspark in transforms.py"]
    assert faults_of("visits") == told
    spoil(visits / "contract.py", statement, "from jobs.datasets.visits.transforms import derive")
    assert faults_of("visits") == [line.replace("contract.py:5", "transforms.py:2") for line in told]


def test_ctrl_c_while_a_contract_is_read_is_no_fault(tmp_path: Path) -> None:
    contract = write_visits(tmp_path) / "contract.py"
    waiting = "print('reading', flush=True)\nwhile True: pass"
    spoil(contract, "\nCONTRACT = Contract", f"\n{waiting}\nCONTRACT = Contract")
    process = subprocess.Popen(
        [sys.executable, "-m", "common.reports.check_dataset", "visits"],
        cwd=ROOT,
        env={**os.environ, "DATASETS": str(tmp_path)},
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr
    assert process.stderr.readline() == "reading\n"
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert (process.returncode, said) == (130, "interrupted\n")


@pytest.mark.parametrize("statement", ["raise KeyboardInterrupt", "import sys; sys.exit(0)", "raise GeneratorExit"])
def test_a_transform_that_ends_python_is_told(visits: Path, statement: str) -> None:
    """A job would leave with 0 and without its JSON line."""
    spoil(
        visits / "transforms.py", "def derive(rows: DataFrame) -> DataFrame:\n", f"def derive(rows):\n    {statement}\n"
    )
    derive = datasets.load("visits").derive
    with pytest.raises(ContractDeclarationError, match=r"^visits/transforms.py:7: derive: "):
        derive(_Rows())  # type: ignore[arg-type]


class _Rows:
    columns = ("minutes",)
