"""What a correction of one row in a hundred writes: bytes of new files, beside the bytes of the rows that it changed.

`.venv/bin/spark-submit tests/benchmarks/correction.py [--rows N] [--share PERCENT]`. The corrections come with the next day, and
again as the same day's files delivered anew. The rows that changed are found by DuckDB and written alone, with the same codec.
Last, the same change to `processed` with deletion vectors, and who reads such a table.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import polars
import pyarrow as pa
import pyarrow.csv as pc
import pyarrow.parquet as pq
from deltalake import DeltaTable, QueryBuilder

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from common.contracts import datasets  # noqa: E402
from common.orchestration.job import run_day  # noqa: E402
from common.runtime.run import Run  # noqa: E402
from common.runtime.settings import load_settings  # noqa: E402
from jobs.backfill import CHAIN  # noqa: E402

DAY, NEXT = date(2026, 1, 1), date(2026, 1, 2)
FEW = 1_000  # of the next day's own: a day without any would be refused


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--rows", type=int, default=200_000)
    arguments.add_argument("--share", type=float, default=1.0, help="percent of the day's rows")
    given = arguments.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        corrected = land(folder, given.rows, given.share / 100)
        run = run_steps(folder, "late", DAY)
        shutil.copytree(folder / "late", folder / "again")
        shutil.copytree(folder / "late", folder / "vectors")
        before = versions(folder / "late")
        deliver(folder, NEXT, corrected.filter(corrected["changed"]), "corrections.csv")
        run_steps(folder, "late", NEXT)
        report("the corrections come with the next day", folder / "late", before)
        deliver(folder, DAY, corrected)
        run_steps(folder, "again", DAY)
        report("the same day's files come again", folder / "again", before)
        with_deletion_vectors(run, folder / "vectors" / "processed/transactions", given.share)


def land(folder: Path, rows: int, share: float) -> pa.Table:
    """Lands the day; returns its rows as they should have been, with the ones that differ marked."""
    sample = [sys.executable, "-m", "jobs.datasets.transactions.sample", "--out", str(folder / "landing"), "--clean"]
    for day, number in ((DAY, rows), (NEXT, FEW)):
        more = ["--start", str(day), "--days", "1", "--rows", str(number), "--formats", "csv"]
        subprocess.run([*sample, *more], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    path = landing(folder, DAY)
    texts = pc.ConvertOptions(column_types=dict.fromkeys(pc.read_csv(path).column_names, pa.string()))
    landed = pc.read_csv(path, convert_options=texts)
    chosen = {*random.Random(1).sample(range(rows), int(rows * share))}
    amounts = [
        f"{float(amount) + 1:.2f}" if row in chosen else amount
        for row, amount in enumerate(landed["purchase_amount"].to_pylist())
    ]
    place = landed.schema.get_field_index("purchase_amount")
    corrected = landed.set_column(place, "purchase_amount", pa.array(amounts))
    return corrected.append_column("changed", pa.array([row in chosen for row in range(rows)]))


def landing(folder: Path, day: date, name: str = "part-0.csv") -> Path:
    return folder / "landing" / "transactions" / f"ds={day}" / name


def deliver(folder: Path, day: date, rows: pa.Table, name: str = "part-0.csv") -> None:
    pc.write_csv(rows.drop_columns(["changed"]), landing(folder, day, name))


def run_steps(folder: Path, lake: str, ds: date) -> Run:
    settings = load_settings("local", lake=str(folder / lake), landing=str(folder / "landing"))
    run = Run("bench", datasets.load("transactions"), ds, settings, f"bench {ds}", "bench")
    for step in CHAIN:
        run_day(step.job, replace(run, job=step.job.name, options=dict(step.options)), quiet=True)
    return run


def versions(lake: Path) -> dict[str, int]:
    logs = sorted(lake.rglob("_delta_log"))
    return {str(log.parent.relative_to(lake)): DeltaTable(str(log.parent)).version() for log in logs}


def report(title: str, lake: Path, before: dict[str, int]) -> None:
    print(f"{title}: bytes of new files / bytes of the rows that changed")
    total = [0, 0]
    for name, version in versions(lake).items():
        written = bytes_added(lake / name, before[name], version)
        rows, changed = rows_changed(str(lake / name), before[name])
        total = [total[0] + written, total[1] + changed]
        if written:
            print(f"  {name:25} {written:12,} / {changed:11,} = {written / max(changed, 1):6.1f}  ({rows:,} rows)")
    print(f"  {'in all':25} {total[0]:12,} / {total[1]:11,} = {total[0] / total[1]:6.1f}", flush=True)


def bytes_added(table: Path, after: int, until: int) -> int:
    logs = (table / "_delta_log" / f"{version:020}.json" for version in range(after + 1, until + 1))
    actions = [json.loads(line) for log in logs for line in log.read_text().splitlines()]
    added = [action["add"] for action in actions if "add" in action]
    return sum(file["size"] for file in added if not file.get("deletionVector"))  # which is of a file that stays


def rows_changed(uri: str, before: int) -> tuple[int, int]:
    """The rows that the table now has and had not before: their number, and their bytes in one file."""
    now, then = (DeltaTable(uri, version=version) for version in (None, before))
    with duckdb.connect() as connection:
        connection.register("rows_now", now.to_pyarrow_table())
        connection.register("rows_then", then.to_pyarrow_table())
        rows = connection.sql("SELECT * FROM rows_now EXCEPT ALL SELECT * FROM rows_then").to_arrow_table()
    return rows.num_rows, bytes_of(rows.drop_columns(now.metadata().partition_columns)) if rows.num_rows else 0


def bytes_of(rows: pa.Table) -> int:
    sink = pa.BufferOutputStream()
    pq.write_table(rows, sink, compression="snappy")
    return sink.getvalue().size


def with_deletion_vectors(run: Run, table: Path, share: float) -> None:
    name, before = f"delta.`{table}`", DeltaTable(str(table)).version()
    run.spark.sql(f"ALTER TABLE {name} SET TBLPROPERTIES (delta.enableDeletionVectors = true)")
    where = f"pmod(xxhash64(transaction_id), 10000) < {share * 100}"
    run.spark.sql(f"UPDATE {name} SET purchase_amount = purchase_amount + 1 WHERE {where}")
    rows = run.spark.read.format("delta").load(str(table)).where(where).drop("event_date").toArrow()
    newest = run.spark.sql(f"DESCRIBE HISTORY {name}").first()["version"]
    vectors = sum(path.stat().st_size for path in table.rglob("deletion_vector*.bin"))
    written, changed = bytes_added(table, before, newest) + vectors, bytes_of(rows)
    print(
        f"processed with deletion vectors: {written:,} / {changed:,} = {written / changed:.1f}  ({rows.num_rows:,} rows)"
    )
    for reader, read in READERS.items():
        print(f"  {reader:35} {outcome(read, str(table))}", flush=True)


def outcome(read: Callable[[str], Any], uri: str) -> str:
    try:
        return f"reads it: {read(uri):,} rows"
    except Exception as error:  # what a reader says differs by reader
        return f"refuses it: {type(error).__name__}: {str(error).splitlines()[0][:150]}"


def _by_duckdb(uri: str) -> int:
    with duckdb.connect() as connection:
        connection.register("stored", DeltaTable(uri).to_pyarrow_dataset())
        return connection.sql("SELECT count(*) FROM stored").fetchall()[0][0]


READERS: dict[str, Callable[[str], int]] = {
    "deltalake, to_pyarrow_table": lambda uri: DeltaTable(uri).to_pyarrow_table().num_rows,
    "deltalake, to_pyarrow_dataset": lambda uri: DeltaTable(uri).to_pyarrow_dataset().count_rows(),
    "deltalake, to_pandas": lambda uri: len(DeltaTable(uri).to_pandas()),
    "deltalake, QueryBuilder": lambda uri: sum(
        batch.num_rows for batch in QueryBuilder().register("t", DeltaTable(uri)).execute("SELECT arrived FROM t")
    ),
    "polars, read_delta": lambda uri: polars.read_delta(uri).height,
    "polars, scan_delta": lambda uri: polars.scan_delta(uri).select(polars.len()).collect().item(),
    "DuckDB over Arrow": _by_duckdb,
}


if __name__ == "__main__":
    main()
