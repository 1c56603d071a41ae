"""The generated Feast repository, loaded by a stand-in for Feast and by Feast itself where installed."""

import os
import runpy
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from deltalake import write_deltalake

from common.contracts import datasets, layout
from common.contracts.aggregates import Pick
from common.contracts.contract import Column, Contract, Feature, Features
from common.contracts.wording import TYPE_NAMES
from common.days import Hour, as_stored, shifted
from common.errors import UsageError
from common.online import connect, feast_repo

ROOT = Path(__file__).resolve().parents[2]
DAY = date(2026, 1, 5)
OF_TYPE = {
    "string": ("String", pa.string(), "so"),
    "int": ("Int32", pa.int32(), 1),
    "long": ("Int64", pa.int64(), 2**53 + 1),
    "double": ("Float64", pa.float64(), 0.1),
    "boolean": ("Bool", pa.bool_(), True),
    "date": ("UnixTimestamp", pa.date32(), date(2026, 1, 1)),
    "timestamp": ("UnixTimestamp", pa.timestamp("us", "UTC"), datetime(2026, 1, 1, 12, tzinfo=UTC)),
    "decimal(12,2)": ("Decimal", pa.decimal128(12, 2), Decimal("1.50")),
}
COLUMNS = {f"a_{type_.partition('(')[0]}": type_ for type_ in OF_TYPE}


def contract(name: str = "people", key: str = "string", said: str = "Who it is", version: int = 3) -> Contract:
    """A snapshot with a feature of every type."""
    columns = [Column(name=column, type=type_, description='Said "so"') for column, type_ in COLUMNS.items()]
    return Contract(
        name=name,
        description="A day's \"people\", all of them\nand 'more'",
        columns=(Column(name="person", type=key, required=True, description=said), *columns),
        key=("person",),
        features=Features(
            version=version, entity="person", columns=tuple(Feature(each, Pick(each)) for each in COLUMNS)
        ),
    )


def hourly() -> Contract:
    return replace(contract(), every="hour")


class Told(SimpleNamespace):
    """Records the arguments of Feast's classes; equal to a mark of the same name."""


class Anything(ModuleType):
    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return name if name[0].isupper() and self.__name__ == "feast.types" else lambda **said: Told(kind=name, **said)


class Bare:
    """Feast's base classes, empty."""


@pytest.fixture
def feast(monkeypatch: pytest.MonkeyPatch) -> None:
    modules = {name: Anything(name) for name in ("feast", "feast.types", "feast.data_format")}
    modules["feast"].ValueType = SimpleNamespace(STRING="STRING", INT32="INT32", INT64="INT64")  # type: ignore[attr-defined]
    for name in ("infra", "infra.online_stores", "infra.online_stores.online_store", "repo_config", "type_map"):
        modules[f"feast.{name}"] = ModuleType(f"feast.{name}")
    modules["feast.infra.online_stores.online_store"].OnlineStore = Bare  # type: ignore[attr-defined]
    modules["feast.repo_config"].FeastConfigBaseModel = Bare  # type: ignore[attr-defined]
    modules["feast.type_map"].feast_value_type_to_python_type = lambda value: value  # type: ignore[attr-defined]
    modules["feast.type_map"].python_values_to_proto_values = lambda values, type_: [(type_, values[0])]  # type: ignore[attr-defined]
    for name, module in modules.items():
        monkeypatch.setitem(sys.modules, name, module)


def found(out: Path, *contracts: Contract) -> dict[str, Any]:
    feast_repo.write(contracts, out, connect.DEFAULT)
    return runpy.run_path(str(out / "definitions.py"))


def publish(lake: Path, of: Contract, days: int, rows: int = 3) -> None:
    types = {"string": pa.string(), "long": pa.int64()}
    schema = pa.schema(
        {
            "ds": pa.date32() if of.every == "day" else pa.string(),
            "person": types[of.column("person").type],
            **{name: OF_TYPE[type_][1] for name, type_ in COLUMNS.items()},
        }
    )
    first = DAY if of.every == "day" else Hour(2026, 1, 5, 23)
    for number in range(days):
        ds = as_stored(shifted(first, number))
        same = {name: OF_TYPE[type_][2] for name, type_ in COLUMNS.items()}
        made = [
            {
                **same,
                "ds": ds,
                "person": each if of.column("person").type == "long" else f"p{each}",
            }
            for each in range(rows)
        ]
        made[-1] |= dict.fromkeys(COLUMNS)
        write_deltalake(
            f"{lake}/{layout.published(of).path}",
            pa.Table.from_pylist(made, schema=schema),
            mode="overwrite",
            partition_by=["ds"],
            predicate=f"ds = '{ds}'" if number else None,
        )


@pytest.mark.usefixtures("feast")
def test_every_declared_feature_is_a_field_of_its_type_and_words(tmp_path: Path) -> None:
    for of in (contract(), *(datasets.load(name).contract for name in datasets.names())):
        view = found(tmp_path, of)[f"{of.name}_v{of.features.version}"]
        types = dict(layout.features(of).columns)
        assert (view.kind, view.name, view.description) == ("FeatureView", feast_repo.view(of), of.description)
        said = {each.name: (each.dtype, each.description) for each in view.schema}
        expected = {
            each.name: (feast_repo.TYPES[types[each.name].partition("(")[0]], each.rule.words)
            for each in of.features.columns
        }
        assert said == expected
        assert len(view.schema) == len(expected)
        assert view.source.timestamp_field == "known_at"


@pytest.mark.usefixtures("feast")
def test_each_type_maps_to_an_exact_feast_type(tmp_path: Path) -> None:
    fields = {each.name: each.dtype for each in found(tmp_path, contract())["people_v3"].schema}
    assert fields == {name: OF_TYPE[type_][0] for name, type_ in COLUMNS.items()}


@pytest.mark.usefixtures("feast")
def test_datasets_share_an_entity_unless_it_is_of_several_types(tmp_path: Path) -> None:
    shared = found(tmp_path, contract("people"), contract("staff"))
    assert shared["people_v3"].entities == shared["staff_v3"].entities == [shared["person"]]
    entity = shared["person"]
    assert (entity.join_keys, entity.value_type, entity.description) == (["person"], "STRING", "Who it is")
    apart = found(tmp_path, contract("people"), contract("staff", key="long"))
    assert apart["people_person"].value_type == "STRING"
    assert apart["staff_person"].value_type == "INT64"
    assert apart["staff_v3"].entities == [apart["staff_person"]]
    assert apart["staff_person"].join_keys == ["person"]


def test_an_entity_that_feast_cannot_join_by_is_refused() -> None:
    with pytest.raises(UsageError, match="people: the entity 'person' is date; Feast joins by one of string"):
        feast_repo.definitions([contract(key="date")])


def test_every_contract_type_maps_to_a_feast_type() -> None:
    assert {name.partition("(")[0] for name in TYPE_NAMES} == feast_repo.TYPES.keys()


def test_a_row_of_ds_is_known_when_ds_has_ended(tmp_path: Path) -> None:
    publish(tmp_path, contract(), days=2)
    assert feast_repo.export(str(tmp_path), contract(), tmp_path / "feast") == (2, 2)
    folder = tmp_path / "feast" / "data" / "people_v3"
    assert sorted(each.name for each in folder.iterdir()) == ["2026-01-05.parquet", "2026-01-06.parquet"]
    rows = pq.read_table(folder / "2026-01-05.parquet").to_pylist()
    assert {row["known_at"] for row in rows} == {datetime(2026, 1, 6, tzinfo=UTC)}
    same = {name: OF_TYPE[type_][2] for name, type_ in COLUMNS.items()}
    midnight = datetime(2026, 1, 1, tzinfo=UTC)
    assert {**rows[0], "known_at": None} == {**same, "person": "p0", "a_date": midnight, "known_at": None}


def test_a_row_of_an_hour_is_known_when_the_hour_has_ended(tmp_path: Path) -> None:
    publish(tmp_path, hourly(), days=2)
    assert feast_repo.export(str(tmp_path), hourly(), tmp_path / "feast") == (2, 2)
    files = sorted((tmp_path / "feast" / "data" / "people_v3").iterdir())
    known = {file.stem: pc.unique(pq.read_table(file)["known_at"]).to_pylist() for file in files}
    midnight = datetime(2026, 1, 6, tzinfo=UTC)
    assert known == {"2026-01-05T23": [midnight], "2026-01-06T00": [midnight + timedelta(hours=1)]}
    assert feast_repo.export(str(tmp_path), hourly(), tmp_path / "feast") == (2, 0)


def test_only_republished_days_are_written_again(tmp_path: Path) -> None:
    lake, out = str(tmp_path), tmp_path / "feast"
    publish(tmp_path, contract(), days=2)
    feast_repo.export(lake, contract(), out)
    assert feast_repo.export(lake, contract(), out) == (2, 0)
    table = f"{lake}/{layout.published(contract()).path}"
    day = pa.table(pq.read_table(out / "data" / "people_v3" / "2026-01-05.parquet")).slice(0, 1)
    day = day.drop_columns(["known_at"]).append_column("ds", pa.array([DAY], pa.date32()))
    day = day.set_column(day.schema.get_field_index("a_date"), "a_date", day["a_date"].cast(pa.date32()))
    write_deltalake(table, day, mode="overwrite", predicate="ds = '2026-01-05'")
    assert feast_repo.export(lake, contract(), out) == (2, 1)
    assert pq.read_table(out / "data" / "people_v3" / "2026-01-05.parquet").num_rows == 1
    write_deltalake(table, day.slice(0, 0), mode="overwrite", predicate="ds = '2026-01-05'")
    assert feast_repo.export(lake, contract(), out) == (1, 0)
    assert [each.name for each in (out / "data" / "people_v3").iterdir()] == ["2026-01-06.parquet"]


def test_without_anything_published_there_is_an_empty_folder(tmp_path: Path) -> None:
    assert feast_repo.export(str(tmp_path), contract(), tmp_path / "feast") == (0, 0)
    assert list((tmp_path / "feast" / "data" / "people_v3").iterdir()) == []


@pytest.mark.parametrize(
    ("address", "written"),
    [
        ("sqlite:////tmp/online.db", 'address: "sqlite:////tmp/online.db"'),
        ("redis://:hush@there:6379/0", 'address: "${ONLINE}"'),
        ("postgresql://there/x?password=hush", 'address: "${ONLINE}"'),
    ],
)
def test_the_repository_names_the_online_store_but_no_password(address: str, written: str, tmp_path: Path) -> None:
    feast_repo.write([contract()], tmp_path, address)
    assert written in (tmp_path / "feature_store.yaml").read_text()
    assert "hush" not in "".join(each.read_text() for each in tmp_path.iterdir())


@pytest.mark.usefixtures("feast")
@pytest.mark.parametrize(
    ("of", "known"),
    [(contract(), datetime(2026, 1, 6, tzinfo=UTC)), (hourly(), datetime(2026, 1, 6, 1, tzinfo=UTC))],
    ids=["day", "hour"],
)
def test_feast_is_given_the_rows_of_our_own_online_store(tmp_path: Path, of: Contract, known: datetime) -> None:
    found(tmp_path, of)
    publish(tmp_path, of, days=1 if of.every == "day" else 2)
    address = f"sqlite:///{tmp_path}/online.db"
    load_online(address, tmp_path, of)
    store = runpy.run_path(str(tmp_path / "pipeline_online.py"))["PipelineOnlineStore"]()
    fields = [
        SimpleNamespace(name=name, dtype=SimpleNamespace(to_value_type=lambda type_=type_: type_))
        for name, type_ in COLUMNS.items()
    ]
    config = SimpleNamespace(online_store=SimpleNamespace(address=address))
    view = SimpleNamespace(name="people_v3", features=fields)
    keys = [SimpleNamespace(entity_values=[each]) for each in ("p0", "nobody")]
    there, nobody = store.online_read(config, view, keys, ["a_decimal", "a_date"])
    expected = {
        "a_decimal": ("decimal(12,2)", Decimal("1.50")),
        "a_date": ("date", datetime(2026, 1, 1, tzinfo=UTC)),
    }
    assert there == (known, expected)
    assert nobody == (None, None)
    with pytest.raises(NotImplementedError, match="nothing to materialize"):
        store.online_write_batch(config, view, [], None)


def load_online(address: str, lake: Path, of: Contract) -> None:
    from common.lake import small_tables

    periods = [DAY] if of.every == "day" else ["2026-01-05T23", "2026-01-06T00"]
    rows = small_tables.read_slice(f"{lake}/{layout.published(of).path}", {"ds": periods})
    connect.open_store(address).load(feast_repo.view(of), "person", rows.to_batches(), {})


ASKED = """
import pandas, sys
from feast import FeatureStore
store = FeatureStore(repo_path=sys.argv[1])
names = [f"people_v3:{each.name}" for each in store.get_feature_view("people_v3").features]
print(store.get_online_features(names, [{"person": "p0"}, {"person": "p2"}, {"person": "nobody"}]).to_dict())
times = pandas.to_datetime(["2026-01-05T23:59:59Z", "2026-01-06T00:00:00Z"])
asked = pandas.DataFrame({"person": ["p0", "p0"], "event_timestamp": times})
rows = store.get_historical_features(asked, names).to_df().sort_values("event_timestamp")
print(rows.a_decimal.tolist(), rows.a_long.tolist())
"""


@pytest.fixture
def installed() -> Iterator[Path]:
    program = shutil.which("feast")
    if not program:
        pytest.skip("feast is not on PATH")
    yield Path(program).parent


@pytest.mark.slow
def test_feast_accepts_the_repository_and_reads_both_stores(installed: Path, tmp_path: Path) -> None:
    publish(tmp_path, contract(), days=1)
    address, out = f"sqlite:///{tmp_path}/online.db", tmp_path / "feast"
    load_online(address, tmp_path, contract())
    feast_repo.write([contract(), contract("absent", version=1)], out, address)
    feast_repo.export(str(tmp_path), contract(), out)
    feast_repo.export(str(tmp_path), contract("absent", version=1), out)
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{out}"}

    def run(*command: str) -> str:
        done = subprocess.run(command, cwd=out, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    run(str(installed / "feast"), "apply")
    there, past = run(str(installed / "python"), "-W", "ignore", "-c", ASKED, str(out)).splitlines()
    found = eval(there, {"Decimal": Decimal, "datetime": __import__("datetime")})
    assert found["a_decimal"] == [Decimal("1.50"), None, None]
    assert found["a_long"] == [2**53 + 1, None, None]
    assert found["a_boolean"] == [True, None, None]
    assert [str(each)[:10] for each in found["a_date"]] == ["2026-01-01", "None", "None"]
    assert past.startswith("[None, Decimal('1.50')]")
