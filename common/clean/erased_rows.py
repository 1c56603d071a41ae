"""Rows of erased entities, told by keyed hashes as they come in: they are counted, and nothing of them is kept."""

from __future__ import annotations

from pyspark.sql import Column as SparkColumn
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from common.clean.casting import number_text
from common.contracts.column import Column
from common.contracts.entity_text import BETWEEN_VALUES, SPACES, entity_column
from common.contracts.layout import ERASED
from common.lake.erasing.erasures import Erasures, pads
from common.runtime.run import Run


def without_erased(run: Run, records: DataFrame) -> DataFrame:
    """The records, each of an erased entity emptied and given the problem `erased`."""
    erasures = Erasures(run.settings.lake, run.contract.name)
    keys = sorted(erasures.keys)
    if not keys:
        return records
    column, secret = entity_column(run.contract), erasures.secret

    def is_it(text: SparkColumn) -> SparkColumn:
        return F.coalesce(_keyed_hash(canonical_text(column, text), secret).isin(keys), F.lit(False))

    def is_erased(text: SparkColumn) -> SparkColumn:
        """Also matches a text that is not a valid entity as it stands, such as `7.0` for a whole number."""
        words = F.coalesce(F.exists(F.split(text, r"\W"), is_it), F.lit(False))
        return F.when(canonical_text(column, text).isNull(), words).otherwise(is_it(text))

    # What has the problem "" is no record, but tells of a file.
    taken_apart, refused = F.col("problem").isNull(), F.coalesce(F.col("problem") != "", F.lit(False))
    hidden = F.coalesce(F.exists(F.split("record", BETWEEN_VALUES), is_erased), F.lit(False))
    erased = (taken_apart & is_erased(F.col(column.name))) | (refused & hidden)
    emptied = {name: F.when(~erased, F.col(name)) for name in ("record", *(each.name for each in run.contract.columns))}
    problem = F.when(erased, F.lit(ERASED)).otherwise(F.col("problem"))
    return records.withColumns({**emptied, "problem": problem})


def canonical_text(column: Column, text: SparkColumn) -> SparkColumn:
    """The same as `common.contracts.entity_text.canonical`."""
    trimmed = F.nullif(F.btrim(text, F.lit(SPACES)), F.lit(""))
    if column.base_type == "string":
        return F.lower(trimmed) if column.lower else trimmed
    return number_text(column, trimmed).try_cast(column.type).cast("string")


def _keyed_hash(text: SparkColumn, secret: bytes) -> SparkColumn:
    """HMAC of SHA-256 by Spark's own functions."""
    inner, outer = pads(secret)
    hashed = F.unhex(F.sha2(F.concat(F.lit(inner), F.encode(text, "UTF-8")), 256))
    return F.sha2(F.concat(F.lit(outer), hashed), 256)
