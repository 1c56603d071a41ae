"""The house: which wing may import which, and what must not be imported at all."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from itertools import combinations
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
# A wing imports the wings above its own line, never its neighbours nor the lines below.
ORDER = (
    ("ground",),
    ("contracts",),
    ("runtime",),
    ("lake",),
    ("telemetry",),
    ("orchestration", "sources", "clean"),
    ("features", "quality", "scoring"),
    ("published",),
    ("training", "maintenance", "planning"),
    ("delivery", "online", "reports"),
    ("reader", "console", "erasure"),
)
LEVEL = {wing: level for level, wings in enumerate(ORDER) for wing in wings}
GROUND = {"common", "common.errors", "common.days", "common.names", "common.printable"}
# What DAG files may read of common: declarations and settings, nothing that starts Spark.
FOR_DAGS = ("contracts", "ground")
FOR_DAGS_TOO = {
    "common.runtime.http_post",
    "common.runtime.log_lines",
    "common.runtime.settings",
    "common.runtime.private_files",
    "common.runtime.submit_command",
    "common.sources.opening",
    "common.sources.source",
    "common.orchestration.staleness",
}


def modules(folder: Path, root: Path = ROOT) -> dict[str, Path]:
    return {name(path.relative_to(root)): path for path in sorted(folder.rglob("*.py"))}


def name(path: Path) -> str:
    return ".".join(path.with_suffix("").parts).removesuffix(".__init__")


def imported(path: Path, known: set[str]) -> set[str]:
    """The modules among `known` that a file imports anywhere, for types as well."""
    return {module for module in names_imported(path) if module in known}


def names_imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert not node.level, f"{path}: a relative import hides where it points"
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def wing(module: str) -> str:
    return "ground" if module in GROUND else module.split(".")[1]


def upward(house: dict[str, Path]) -> list[str]:
    """Each import that points to a neighbour or below, with both modules named."""
    wrong = []
    for module, path in house.items():
        for other in sorted(imported(path, set(house))):
            if wing(module) != wing(other) and LEVEL[wing(other)] >= LEVEL[wing(module)]:
                wrong.append(f"{module} imports {other}, but {wing(other)} is not before {wing(module)}")
    return wrong


def common() -> dict[str, Path]:
    found = modules(ROOT / "common")
    assert len(found) > 90, "the test looks at the whole house"
    return found


def test_wings_import_in_one_direction() -> None:
    assert {wing(module) for module in common()} == set(LEVEL), "every wing has its place in the order"
    assert upward(common()) == []


def test_an_upward_import_is_named_with_both_modules(tmp_path: Path) -> None:
    files = {"lake/pins.py": "", "runtime/run.py": "from common.lake import pins\n"}
    for file, text in files.items():
        path = tmp_path / "common" / file
        path.parent.mkdir(parents=True)
        path.write_text(text)
    house = modules(tmp_path / "common", tmp_path)
    assert upward(house) == ["common.runtime.run imports common.lake.pins, but lake is not before runtime"]


def test_no_modules_import_each_other_in_a_circle() -> None:
    house = common()
    graph = {module: imported(path, set(house)) - {module} for module, path in house.items()}
    assert circle(graph) == []


def test_no_rooms_import_each_other_in_a_circle() -> None:
    house = common()
    rooms: dict[str, set[str]] = {}
    for module, path in house.items():
        rooms.setdefault(room(module), set()).update(map(room, imported(path, set(house))))
    assert circle({name: others - {name} for name, others in rooms.items()}) == []


def room(module: str) -> str:
    """The folder below a wing; a module that lies loose in its wing is a room of its own."""
    parts = module.split(".")
    return ".".join(parts[:3])


def circle(graph: dict[str, set[str]]) -> list[str]:
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def test_only_the_ground_lies_loose_in_common() -> None:
    loose = {path.name for path in (ROOT / "common").glob("*.py")}
    assert loose == {"__init__.py", "errors.py", "days.py", "names.py", "printable.py"}


def test_common_imports_no_job_and_names_no_dataset() -> None:
    for path in common().values():
        assert not {module for module in names_imported(path) if module.split(".")[0] in ("jobs", "dags")}, path
        assert "transactions" not in path.read_text().replace("app_transactions", ""), path
        assert "churn" not in path.read_text(), path


def test_dags_read_declarations_and_settings_only() -> None:
    house = set(common())
    for path in (ROOT / "dags").glob("*.py"):
        for module in imported(path, house) - {"common"} - FOR_DAGS_TOO:
            assert module == f"common.{wing(module)}" or wing(module) in FOR_DAGS, f"{path.name} imports {module}"


def test_only_these_modules_touch_delta() -> None:
    touching = {
        module
        for folder in ("common", "jobs")
        for module, path in modules(ROOT / folder).items()
        if {imported_name.split(".")[0] for imported_name in names_imported(path)} & {"delta", "deltalake"}
    }
    lake = {
        *("spark_tables", "small_tables", "slices", "snapshot", "erasing.row_erasure"),
        *("log.delta_log", "log.commit_metadata", "log.decisions", "log.open_tables"),
        "merging.arrow_merge",
    }
    assert touching == {*(f"common.lake.{module}" for module in lake), "common.published.publish"}


def test_no_two_public_classes_share_a_name() -> None:
    places: dict[str, str] = {}
    for folder in ("common", "jobs", "dags"):
        for module, path in modules(ROOT / folder).items():
            for node in ast.parse(path.read_text()).body:
                if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                    assert node.name not in places, f"{node.name} is in {places[node.name]} and in {module}"
                    places[node.name] = module


def test_no_two_module_names_differ_by_one_letter() -> None:
    paths = [path for folder in ("common", "jobs", "dags") for path in modules(ROOT / folder).values()]
    names = sorted({path.stem.replace("_", "") for path in paths if path.name != "__init__.py"})
    assert len(names) > 100
    alike = [(one, other) for one, other in combinations(names, 2) if one_letter_apart(one, other)]
    assert alike == []


def one_letter_apart(one: str, other: str) -> bool:
    short, long = sorted((one, other), key=len)
    if len(short) == len(long):
        return sum(a != b for a, b in zip(short, long, strict=True)) == 1
    return any(long[:place] + long[place + 1 :] == short for place in range(len(long)))


@pytest.mark.parametrize(
    "module",
    [
        "jobs.datasets.transactions.contract",
        "common.contracts.layout",
        "common.contracts.suite",
        "common.reports.status",
        "common.console.page",
        "common.reader.cli",
        "common.planning.report",
        "jobs.maintain",
    ],
)
def test_what_reads_contracts_starts_no_spark(module: str) -> None:
    code = f"import sys, {module}; sys.exit(bool({{'pyspark', 'great_expectations'}} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


def test_an_idle_job_never_imports_great_expectations() -> None:
    code = "import sys, jobs.backfill; sys.exit('great_expectations' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


def test_no_module_is_long() -> None:
    long = {
        module: count
        for folder in ("common", "jobs", "dags")
        for module, path in modules(ROOT / folder).items()
        if (count := len(path.read_text().splitlines())) > 250
    }
    assert long == {}


def test_no_address_stands_in_a_lock() -> None:
    for lock in (ROOT / "conf" / "requirements").glob("*.txt"):
        assert "://" not in lock.read_text(), lock
        assert "--hash=sha256:" in lock.read_text(), lock
