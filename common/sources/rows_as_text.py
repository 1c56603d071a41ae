"""Typed rows as the text records that ingest keeps: no value loses anything, and NULL is not an empty text."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from pyspark.sql import Column as SparkColumn
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T

from common.contracts.contract import Contract
from common.contracts.sensitive import shown_names
from common.errors import ContractViolationError
from common.runtime import plan_size
from common.sources.files.csv_records import check_header
from common.sources.files.text_records import RefusedFileError, decimal_marks
from common.sources.unknown_names import UnknownNames

FILE, PROBLEM, RECORD = RESERVED = ("_file", "_problem", "_record")
NESTED = (T.ArrayType, T.MapType, T.StructType)


def rows_as_text(rows: DataFrame, contract: Contract, units: Sequence[str]) -> DataFrame:
    """The columns that `Source.read` promises; raises if the rows lack a required column. Nobody knows how many will come."""
    plan_size.begin_large(rows.sparkSession)
    sent = {field.name: field.dataType for field in rows.schema if field.name not in RESERVED}
    own = [contract.own_name(name) for name in sent]
    declared = [column.name for column in contract.columns]
    _require_columns(contract, own)
    if absent := sorted({*declared} - {*own}):
        logging.getLogger("pipeline").warning("%s lacks optional columns, read as missing: %s", units[0], absent)
    place = dict(zip(own, sent, strict=True))
    marks = decimal_marks(contract.columns)
    texts = [
        (as_text(place[name], sent[place[name]], marks.get(name, ".")) if name in place else F.lit(None).cast("string"))
        .alias(name)
        for name in declared
    ]  # fmt: skip
    about = [
        (F.col(FILE) if FILE in rows.columns else F.lit(units[0])).cast("string").alias("file"),
        _reserved(rows, PROBLEM).alias("problem"),
        _reserved(rows, RECORD).alias("record"),
        F.lit(None).cast("string").alias("extra"),
        F.lit(1).cast("long").alias("lines"),
    ]
    records = rows.select(*about, *texts)
    unknown = UnknownNames({*own} - {*declared}).shown()
    return records.unionByName(_drift(rows, units, unknown), allowMissingColumns=True) if unknown else records


def _require_columns(contract: Contract, names: list[str]) -> None:
    declared, required = contract.columns, [column.name for column in contract.columns if column.required]
    try:
        check_header(names, [column.name for column in declared], required, lambda found: shown_names(contract, found))
    except RefusedFileError as error:
        raise ContractViolationError(f"the rows of {contract.name} can't be read: {error}") from None


def _reserved(rows: DataFrame, name: str) -> SparkColumn:
    return (F.col(name) if name in rows.columns else F.lit(None)).cast("string")


def _drift(rows: DataFrame, units: Sequence[str], unknown: Sequence[str]) -> DataFrame:
    named = [(unit, "", name, 0) for unit in units for name in unknown]
    return rows.sparkSession.createDataFrame(named, "file string, problem string, extra string, lines long")


def as_text(name: str, type_: T.DataType, mark: str = ".") -> SparkColumn:
    """Times in UTC, ending in Z if they are a moment; bytes in base64; what is nested as JSON."""
    value = F.col(f"`{name}`")
    match type_:
        case T.StringType():
            return value
        case T.BinaryType():
            return F.base64(value)
        case T.TimestampType():
            return F.date_format(value, "yyyy-MM-dd HH:mm:ss.SSSSSS'Z'")
        case T.TimestampNTZType():
            return F.date_format(value, "yyyy-MM-dd HH:mm:ss.SSSSSS")
        case T.DecimalType() | T.FloatType() | T.DoubleType():
            text = value.cast("string")
            return text if mark == "." else F.replace(text, F.lit("."), F.lit(mark))
        case _ if isinstance(type_, NESTED):
            return F.to_json(value, {"ignoreNullFields": "false"})
        case _:
            return value.cast("string")
