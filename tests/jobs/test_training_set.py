"""Training sets built from published features: splits, labels, fitted steps and versions."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession

from common.contracts.expectations import Drift
from common.errors import ContractDeclarationError, ContractViolationError, UsageError
from common.lake import pins, training_manifests
from common.lake.log import delta_log
from common.quality import drift, profiles
from common.runtime import plan_size
from common.training import store
from common.training.build import build_training_set
from common.training.steps import Impute
from common.training.training_set import (
    SPLITS,
    From,
    Labels,
    Snapshot,
    Split,
    TrainingSet,
    declared_training_set,
    pin_name,
)
from jobs.datasets.churn import baseline, telco
from tests.support.offers import OFFERS, labels
from tests.support.play_lake import PlayLake
from tests.support.published_tables import publish, publish_rows
from tests.support.tables_as_text import assert_rows

DAY, NEXT = "2026-01-05", "2026-01-06"
NAME = "churn_baseline"
SAME = ("splits", "fitted", "counts")


def build(lake: PlayLake, declared: TrainingSet, labels: str | None = None) -> dict[str, object]:
    return build_training_set([lake.plan("training_set", ds) for ds in (DAY, NEXT)], declared, labels)


def read(lake: PlayLake, name: str, split: str) -> pa.Table:
    return store.read_split(str(lake.root / "lake"), name, split)


def declared(lake: PlayLake) -> TrainingSet:
    return declared_training_set(lake.plan("training_set", DAY).dataset, NAME)


def first(lake: PlayLake) -> dict[str, Any]:
    """The manifest of the first version."""
    return training_manifests.manifests(str(lake.lake_folder), NAME)[0]


def test_the_churn_example_builds_a_whole_training_set(trained: PlayLake) -> None:
    counts = first(trained)["counts"]
    assert counts["examples"] == 240 == counts["train"] + counts["val"] + counts["test"] + counts["left_out"]
    train, test = read(trained, NAME, "train"), read(trained, NAME, "test")
    scaled = ["tenure_months", "monthly_charges", "total_charges"]
    for name in scaled:
        values = train[name].to_pylist()
        assert (min(values), max(values)) == (0.0, 1.0), name
    assert not set(train["customer_id"].to_pylist()) & set(test["customer_id"].to_pylist())
    assert {"gender_male", "partner_yes", "dependents_yes", "payment_method_credit_card"} <= set(train.column_names)
    assert "gender_female" not in train.column_names
    assert set(train["churn"].to_pylist()) == {0, 1}
    assert pq.read_table(trained.root / "lake/training_sets" / NAME / "v1/export/train.parquet").equals(train)


def test_a_snapshot_is_split_by_its_own_day(churn: PlayLake) -> None:
    """Rows are known from the next day on, but a split until the 5th includes the rows of the 5th."""
    until = Split(train_until=date.fromisoformat(DAY), val_until=date.fromisoformat(NEXT))
    manifest = build(churn, replace(declared(churn), split=until))
    counts = manifest["counts"]
    assert (counts["train"], counts["val"], counts["test"]) == (120, 120, 0)
    known_from = {split: set(read(churn, NAME, split)["example_time"].to_pylist()) for split in ("train", "val")}
    assert known_from == {"train": {datetime(2026, 1, 6, tzinfo=UTC)}, "val": {datetime(2026, 1, 7, tzinfo=UTC)}}


def test_imputed_and_scaled_values_equal_duckdbs(trained: PlayLake) -> None:
    """total_charges is imputed by the mean of its tenure, else by the overall median, from the train split only."""
    train = read(trained, NAME, "train")
    published = trained.published.at().arrow()
    with duckdb.connect() as connection:
        connection.register("p", published)
        connection.register("t", train)
        found = connection.execute(
            """
            WITH rows AS (SELECT p.*, t.total_charges AS scaled FROM p JOIN t
                          ON p.customer_id = t.customer_id AND p.ds + INTERVAL 1 DAY = t.example_time AT TIME ZONE 'UTC'),
            means AS (SELECT tenure_months, avg(total_charges::double) AS mean FROM rows GROUP BY ALL),
            filled AS (SELECT scaled, coalesce(total_charges::double, mean,
                       (SELECT median(total_charges::double) FROM rows)) AS total FROM rows JOIN means USING (tenure_months))
            SELECT count(*), max(abs(scaled - (total - low) / (high - low)))
            FROM filled, (SELECT min(total) AS low, max(total) AS high FROM filled)
            """
        ).fetchone()
    assert found is not None
    assert found[0] == train.num_rows
    assert found[1] < 1e-9


def test_the_same_inputs_make_no_second_version_and_new_ones_do(trained: PlayLake) -> None:
    before = trained.state()
    again = build(trained, declared(trained))
    assert (again["outcome"], again["version"], trained.state()) == ("nothing", 1, before)
    other = build_training_set([trained.plan("training_set", DAY)], declared(trained), None)
    assert (other["outcome"], other["version"]) == ("done", 2)
    assert [each["version"] for each in training_manifests.manifests(str(trained.root / "lake"), NAME)] == [1, 2]
    assert first(trained)["splits"] == again["splits"]


def test_table_versions_with_equal_rows_make_no_second_version(trained: PlayLake) -> None:
    """After another day, a compaction and a vacuum the table has new versions but equal rows on these days."""
    publish_tomorrow(trained)
    table = trained.table("published/churn/v1")
    table.optimize.compact()
    table.vacuum(retention_hours=0, dry_run=False, enforce_retention_duration=False)
    assert trained.published.at().version > first(trained)["inputs"]["versions"]["churn@v1"]
    assert build(trained, declared(trained)) == {**first(trained), "outcome": "nothing"}


def publish_tomorrow(lake: PlayLake) -> None:
    rows = lake.published.at().arrow(ds=NEXT)
    days = pa.array([date(2026, 1, 7)] * rows.num_rows)
    publish_rows(lake.published, rows.set_column(0, "ds", days), "customer_id")


def test_another_row_of_its_days_makes_another_version(trained: PlayLake) -> None:
    publish_rows(trained.published, trained.published.at().arrow(ds=NEXT).slice(1), "customer_id")
    assert (build(trained, declared(trained))["version"], len(pins.pins(str(trained.root / "lake")))) == (2, 2)


def test_labels_depend_on_the_days_that_they_can_meet() -> None:
    """A row is known when its ds is over; a gap of 48 hours is added, and rows older than ten days do not count."""
    first, last = date(2026, 1, 20), date(2026, 1, 25)
    for wanted, reach in (
        (From(table="t@v1"), (date(1970, 1, 1), date(2026, 1, 24))),
        (From(table="t@v1", gap_hours=1), (date(1970, 1, 1), date(2026, 1, 24))),
        (From(table="t@v1", gap_hours=48, max_age_days=10), (date(2026, 1, 9), date(2026, 1, 22))),
    ):
        assert wanted.reach(first, last) == reach


def test_the_inputs_of_a_training_set_are_pinned(trained: PlayLake) -> None:
    place, inputs = str(trained.lake_folder), first(trained)["inputs"]
    (pin,) = inputs["pins"]
    assert pins.kept_versions(place, "published/churn/v1") == [inputs["versions"]["churn@v1"]]
    pins.verify(place, pin)


def test_a_later_row_is_served_by_the_same_fitted_steps(trained: PlayLake) -> None:
    fitted = store.fitted(first(trained))
    (row,) = trained.published.at().arrow(ds=NEXT).slice(3, 1).to_pylist()
    served = fitted.apply_row({**row, "example_time": None})
    stored = {
        each["customer_id"]: each
        for split in ("train", "val", "test")
        for each in read(trained, NAME, split).to_pylist()
        if each["example_time"].date() == date(2026, 1, 7)
    }[row["customer_id"]]
    assert {name: served[name] for name in stored if name != "example_time"} == {
        name: value for name, value in stored.items() if name != "example_time"
    }


def test_labels_meet_what_was_known_and_split_by_their_own_day(churn: PlayLake) -> None:
    """Labels of c000001 before its first row, on a day with a row, and after it."""
    labels = churn.root / "labels.csv"
    labels.write_text(
        "customer_id,asked_at,bought\n"
        "c000001,2026-01-05T23:59:59,0\nc000001,2026-01-06T00:00:00,1\nc000002,2026-01-06T23:00:00,1\n"
    )
    wanted = TrainingSet(
        name="offers",
        description="Who takes an offer.",
        examples=Labels(entity="customer_id", time="asked_at", label="bought"),
        split=Split(train_until=date.fromisoformat(DAY), val_until=date.fromisoformat(NEXT)),
        features=(
            From(table="churn@v1", columns=("tenure_days",)),
            From(table="churn@v1", columns=("tenure_days", "gender"), gap_hours=12),
        ),
        steps=(Impute("tenure_days", by="constant", value=-1.0),),
    )
    build(churn, wanted, str(labels))
    train, val = (read(churn, "offers", split).to_pylist() for split in ("train", "val"))
    assert (len(train), len(val)) == (1, 2)
    rows = train + val
    of_day = {row["customer_id"]: row["tenure_days"] for row in churn.published.at().arrow(ds=DAY).to_pylist()}
    assert [row["tenure_days"] for row in rows] == [-1.0, of_day["c000001"], of_day["c000002"]]
    # The same table again with a gap of half a day: a taken name gets its table's name as a prefix.
    assert [row["churn_tenure_days"] for row in rows] == [None, None, of_day["c000002"]]
    with pytest.raises(UsageError, match="needs --labels"):
        build(churn, wanted)


def test_the_manifest_counts_the_labels_and_those_of_other_days(churn: PlayLake) -> None:
    head = "customer_id | asked_at | bought\n"
    one, two = "c000001 | 2026-01-06T01:00:00 | 1\n", "c000002 | 2026-01-06T02:00:00 | 0\n"
    manifest = build(churn, OFFERS, labels(churn, head + one + two + "c000003 | 2026-01-07T00:00:00 | 1"))
    said = manifest["inputs"]["labels"]
    assert (said["rows"], said["used"], said["outside"]) == (3, 2, 1)
    assert (manifest["counts"]["examples"], manifest["counts"]["labels_outside"]) == (2, 1)
    # The order of lines and labels of other days do not matter.
    again = build(churn, OFFERS, labels(churn, head + two + one))
    assert (again["outcome"], again["inputs"]["labels"]["hash"]) == ("nothing", said["hash"])
    other = build(churn, OFFERS, labels(churn, head + one + two.replace("| 0", "| 1")))
    assert (other["version"], other["inputs"]["labels"]["hash"] != said["hash"]) == (2, True)


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (" | 2026-01-06T01:00:00 | 1", "1 without customer_id"),
        ("c000002 | soon | 1", "1 without asked_at"),
        ("c000002 | 2026-01-06T01:00:00 | ", "1 without bought"),
        ("c000001 | 2026-01-06T01:00:00 | 0", "share values of customer_id, example_time"),
    ],
)
def test_a_label_without_entity_time_or_value_is_refused(churn: PlayLake, row: str, said: str) -> None:
    before = churn.state()
    given = labels(churn, f"customer_id | asked_at | bought\nc000001 | 2026-01-06T01:00:00 | 1\n{row}")
    with pytest.raises(ContractViolationError, match=said) as refused:
        build(churn, OFFERS, given)
    assert refused.value.exit_code == 3
    assert churn.state() == before


def test_labels_meet_two_tables_each_as_it_was_known(lake: PlayLake) -> None:
    """Visits count only if known a day before the label; a column name in both tables is prefixed with its table."""
    place = lake.root / "lake"
    publish(place, "ds | user_id | spend | favourite\n2026-01-03 | 1 | 3.00 | food\n2026-01-04 | 1 | 4.00 | home")
    visits = "ds | user_id | spend | mean\n2026-01-02 | 1 | 20.00 | 2\n2026-01-03 | 1 | 30.00 | 3"
    publish(place, f"{visits}\n2026-01-04 | 1 | 40.00 | 4\n2026-01-01 | 2 | 50.00 | 5", table="visits/v1")
    wanted = TrainingSet(
        name="two_tables",
        description="",
        examples=Labels(entity="user_id", time="at", label="left"),
        split=Split(train_until=date(2026, 1, 31), val_until=date(2026, 1, 31)),
        features=(
            From(table="purchases@v1", columns=("spend", "favourite")),
            From(table="visits@v1", columns=("spend", "mean"), gap_hours=24),
        ),
    )
    asked = "user_id | at | left\n1 | 2026-01-05T08:00:00 | 0\n1 | 2026-01-06T08:00:00 | 1\n2 | 2026-01-05T08:00:00 | 0"
    manifest = build(lake, wanted, labels(lake, asked))
    assert_rows(
        read(lake, "two_tables", "train").to_pylist(),
        """
        user_id | left | spend | favourite | visits_spend | mean
        1       | 0    | 4.00  | home      | 30.00        | 3.0
        1       | 1    | 4.00  | home      | 40.00        | 4.0
        2       | 0    | -     | -         | 50.00        | 5.0
        """,
    )
    assert manifest["inputs"]["versions"] == {"purchases@v1": 0, "visits@v1": 0}
    kept = [pins.kept_versions(str(place), f"published/{table}/v1") for table in ("purchases", "visits")]
    assert kept == [[0], [0]]


def test_neither_partitions_nor_who_writes_them_changes_the_rows(
    trained: PlayLake, spark: SparkSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Few rows are written by this process, many by Spark."""
    monkeypatch.setattr(plan_size, "FEW_ROWS", 0)
    with in_partitions(spark, 5):
        in_five = build(trained, replace(declared(trained), name="five"))
    assert {name: in_five[name] for name in SAME} == {name: first(trained)[name] for name in SAME}
    for split in SPLITS:
        few, many = (trained.table(f"training_sets/{name}/v1/{split}").schema() for name in (NAME, "five"))
        assert few == many


@pytest.mark.slow
def test_the_number_of_partitions_does_not_change_a_split(churn: PlayLake, spark: SparkSession) -> None:
    asked = [f"c{n:06d} | 2026-01-06T{n % 24:02d}:00:00 | {n % 2}" for n in range(60)]
    given = labels(churn, "\n".join(["customer_id | asked_at | bought", *asked]))
    apart = replace(OFFERS, split=Split(seed="s"))
    whole = build(churn, apart, given)
    with in_partitions(spark, 5):
        in_five = build(churn, replace(apart, name="five"), given)
    assert {name: in_five[name] for name in SAME} == {name: whole[name] for name in SAME}


@contextmanager
def in_partitions(spark: SparkSession, parts: int) -> Iterator[None]:
    wanted = {"spark.sql.shuffle.partitions": str(parts), "spark.sql.adaptive.enabled": "false"}
    before = {name: spark.conf.get(name) for name in wanted}
    for name, value in wanted.items():
        spark.conf.set(name, value)
    yield
    for name, value in before.items():
        spark.conf.set(name, value)


def test_a_contradictory_training_set_is_refused() -> None:
    split = Split(seed="s")
    with pytest.raises(ContractDeclarationError, match="bring their own features"):
        TrainingSet(
            name="a",
            description="",
            examples=Snapshot(table="c@v1", label="x"),
            split=split,
            features=(From(table="t"),),
        )
    with pytest.raises(ContractDeclarationError, match="would look ahead"):
        From(table="t", gap_hours=-1)


TELCO = """\
customerID,gender,SeniorCitizen,Partner,Dependents,tenure,PhoneService,PaymentMethod,MonthlyCharges,TotalCharges,Churn
7590-VHVEG,Female,0,Yes,No,1,No,Electronic check,29.85,29.85,No
4472-LVYGI,Female,0,Yes,Yes,0,No,Bank transfer (automatic),52.55, ,No
3668-QPYBK,Male,0,No,No,2,Yes,Mailed check,53.85,108.15,Yes
"""


def land_telco(lake: PlayLake, text: str, monkeypatch: pytest.MonkeyPatch) -> PlayLake:
    """Lands the public file with its columns mapped."""
    churn = PlayLake(lake.root, "churn")
    file = lake.root / "telco.csv"
    file.write_text(text)
    monkeypatch.setattr("sys.argv", ["telco", str(file), "--ds", DAY, "--out", str(churn.landing)])
    telco.main()
    return churn


@pytest.fixture(scope="module")
def telco_once(tmp_path_factory: pytest.TempPathFactory, spark: object) -> PlayLake:
    """Twenty customers for each of the file's."""
    head, *rows = TELCO.splitlines()
    many = [row.replace("-", f"-{number:03d}", 1) for number in range(20) for row in rows]
    with pytest.MonkeyPatch.context() as patched:
        text = "\n".join([head, *many]) + "\n"
        churn = land_telco(PlayLake(tmp_path_factory.mktemp("telco")), text, patched)
    churn.ingest(DAY)
    churn.validate(DAY, "raw")
    churn.clean(DAY)
    churn.validate(DAY, "processed")
    churn.features(DAY)
    return churn


def test_the_public_telco_file_runs_once_its_columns_are_mapped(telco_once: PlayLake) -> None:
    wanted = "customer_id | tenure_months | total_charges | churn\n7590-000VHVEG | 1 | 29.85 | 0\n"
    assert_rows(
        telco_once.rows("features", "customer_id LIKE '%-000%'", "features/churn/v1"),
        wanted + "4472-000LVYGI | 0 | - | 0\n3668-000QPYBK | 2 | 108.15 | 1",
    )


def test_the_public_telco_file_makes_a_training_set(telco_once: PlayLake, tmp_path: Path) -> None:
    churn = telco_once.copied(tmp_path)
    churn.publish(DAY)
    manifest = build_training_set([churn.plan("training_set", DAY)], declared(churn), None)
    assert manifest["counts"]["examples"] == 60
    train = read(churn, NAME, "train")
    assert {"payment_method_electronic_check", "payment_method_mailed_check"} <= set(train.column_names)
    assert train["total_charges"].null_count == 0


def test_the_baseline_trains_on_train_and_predicts_unseen_rows(
    trained: PlayLake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", ["baseline", "--lake", str(trained.root / "lake")])
    baseline.main()
    predicted = trained.rows("predictions", path="predictions/churn_baseline")
    assert {row["customer_id"] for row in predicted} == set(read(trained, NAME, "test")["customer_id"].to_pylist())
    assert all(0 < row["chance"] < 1 for row in predicted)
    said = delta_log.commits(str(trained.root / "lake/predictions/churn_baseline"))[0].books
    assert said["training_set"] == "churn_baseline/v1"
    assert said["inputs"] == {"churn@v1": trained.published.at().version}
    before = trained.state()
    baseline.main()
    assert trained.state() == before


def test_a_days_drift_is_measured_against_the_training_set(trained: PlayLake) -> None:
    run = trained.plan("validate", NEXT, table="features")
    drifting = replace(run.dataset.contract, drift=Drift(training_set=NAME))
    run = replace(run, dataset=replace(run.dataset, contract=drifting))
    today = profiles.known(run, "features", [date.fromisoformat(NEXT)])
    results = list(drift.drifted(run, "features", today))
    assert len(results) > 10
    assert [each.words for each in results if not each.success] == []
    dearer = [
        replace(each, quantiles=[value + 100 for value in each.quantiles or []])
        if each.column == "monthly_charges"
        else each
        for each in today
    ]
    failed = {each.column for each in drift.drifted(run, "features", dearer) if not each.success}
    assert "monthly_charges" in failed


def test_the_fitted_steps_are_plain_json(trained: PlayLake) -> None:
    manifest = first(trained)
    assert json.loads(manifest["fitted"])
    assert store.fitted(manifest).to_json() == manifest["fitted"]


@pytest.fixture(scope="module")
def killed_once(two_days: Path, tmp_path_factory: pytest.TempPathFactory) -> PlayLake:
    """A build was killed before its manifest was written."""

    def killed(*arguments: object) -> None:
        raise KeyboardInterrupt

    lake = PlayLake(two_days, "churn").copied(tmp_path_factory.mktemp("killed"))
    with pytest.MonkeyPatch.context() as broken:
        broken.setattr("common.training.build.write_json", killed)
        with pytest.raises(KeyboardInterrupt):
            build(lake, declared(lake))
    return lake


@pytest.fixture
def killed_build(killed_once: PlayLake, tmp_path: Path) -> PlayLake:
    return killed_once.copied(tmp_path)


@pytest.mark.slow
def test_a_killed_build_is_repeated_under_the_same_version(killed_build: PlayLake) -> None:
    assert training_manifests.manifests(str(killed_build.lake_folder), NAME) == []
    assert build(killed_build, declared(killed_build))["version"] == 1


def test_a_killed_build_is_repeated_on_a_newer_table_version(killed_build: PlayLake) -> None:
    """Pins of an unfinished version must not stop the next build or keep table versions that it releases."""
    place, path = str(killed_build.lake_folder), "published/churn/v1"
    before = killed_build.published.at().version
    assert pins.kept_versions(place, path) == [before]
    assert training_manifests.manifests(place, NAME) == []
    publish_tomorrow(killed_build)
    manifest = build(killed_build, declared(killed_build))
    now = killed_build.published.at().version
    assert (manifest["version"], manifest["inputs"]["versions"]) == (1, {"churn@v1": now})
    assert now > before
    assert pins.kept_versions(place, path) == [now]


def test_a_name_too_long_for_its_pins_is_refused_when_declared() -> None:
    """Otherwise the error would come only at the end of a whole build."""

    def named(length: int) -> TrainingSet:
        return TrainingSet(
            name="n" * length, description="", examples=Snapshot(table="churn@v1", label="churn"), split=Split(seed="s")
        )

    longest = named(47)
    assert len(pin_name(longest.name, 99_999, "churn@v1")) == 63
    with pytest.raises(
        ContractDeclarationError, match=r"64 characters, and a name has 63 at most; give it .* at most 47"
    ):
        named(48)
