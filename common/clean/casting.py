"""Text to typed values: each value is exactly what the contract declares, or is refused with a reason.

Pure functions: columns in, columns out.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from functools import reduce
from operator import or_

from pyspark.sql import Column as SparkColumn
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from common.contracts.changes import CHANGED, DELETED, changes_of, event_dates
from common.contracts.contract import Column, Contract
from common.days import shifted
from common.lake.period_columns import holding, literal
from common.runtime.kept_columns import once_a_declaration

# Spark's own cast also accepts "2026", "12:30" (today's date!) and more digits than it keeps.
ISO_TIMESTAMP = r"^\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?(Z|[+-]\d{2}:\d{2})?)?$"
HAS_ZONE = r"(Z|[+-]\d{2}:\d{2})$"
ISO_DATE = r"^\d{4}-\d{2}-\d{2}$"
PLAIN_NUMBER = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$"
WIDEST_SCALE = 18
WIDEST = f"decimal(38,{WIDEST_SCALE})"
# What that type holds without rounding; trailing zeros do not count.
EXACT_NUMBER = rf"^[+-]?(\d+\.?\d{{0,{WIDEST_SCALE}}}0*|\.\d{{1,{WIDEST_SCALE}}}0*)$"
POWER = r"^[+-]?(\d+\.?\d*|\.\d+)[eE]([+-]?\d{1,4})$"
NOT_ZERO = r"^[^eE]*[1-9]"
NO_YEARS = (1, 9999)
KEY_REASON = "key_reason"
BOOLEANS = {"true": True, "false": False, "1": True, "0": False}


def cast_rows(rows: DataFrame, contract: Contract, ds: date, refused_keys: DataFrame | None = None) -> DataFrame:
    """Replaces each text by its typed value, and adds `event_date` and `reasons` (empty for accepted rows).

    `refused_keys` are keys whose rows are all refused, each with its `key_reason`.
    """
    names, casts = [column.name for column in contract.columns], _casts(contract)
    received = rows.withColumnsRenamed({name: f"_sent_{name}" for name in names})
    wide = received.withColumns(casts.texts).withColumns(casts.values)
    wide = wide.withColumn("event_date", event_date(contract, ds))
    of_day = lateness_objections(contract, ds)
    if refused_keys is not None:
        wide = wide.join(refused_keys, list(contract.key), "left")
        of_day.append((F.col(KEY_REASON).isNotNull(), F.col(KEY_REASON)))
    refused = F.col("_refused")
    # Most rows are accepted: compute nothing else for them.
    checked = wide.withColumn("_refused", reduce(or_, map(_is_met, of_day), casts.refused))
    reasons = F.array_compact(F.array(*casts.reasons, *map(_named, of_day)))
    checked = checked.withColumns(
        {
            "reasons": F.when(refused, reasons).otherwise(F.array().cast("array<string>")),
            "record": F.when(refused, casts.sent),
        }
    )
    return checked.drop(
        "_refused", KEY_REASON, *(f"{prefix}{name}" for name in names for prefix in ("_text_", "_sent_"))
    )


@dataclass(frozen=True)
class _Casts:
    """What a contract says of every day."""

    texts: dict[str, SparkColumn]
    values: dict[str, SparkColumn]
    refused: SparkColumn
    reasons: list[SparkColumn]
    sent: SparkColumn  # the whole record, as it came


@once_a_declaration
def _casts(contract: Contract) -> _Casts:
    columns = contract.columns
    refusals = [objection for column in columns for objection in objections_in(contract, column)]
    refusals += placeholder_objections(contract)
    sent = F.struct(*[F.col(f"_sent_{column.name}").alias(column.name) for column in columns])
    return _Casts(
        texts={f"_text_{column.name}": trimmed(column) for column in columns},
        values={column.name: typed(column, contract.zone) for column in columns},
        refused=reduce(or_, map(_is_met, refusals), F.lit(False)),
        reasons=[*map(_named, refusals)],
        sent=F.to_json(sent, {"ignoreNullFields": "false"}),
    )


def trimmed(column: Column) -> SparkColumn:
    """The text without surrounding white space; null if nothing is left."""
    text = F.nullif(F.btrim(F.col(f"_sent_{column.name}"), F.lit(" \t\r\n\u00a0")), F.lit(""))
    return F.lower(text) if column.lower else text


def typed(column: Column, zone: str) -> SparkColumn:
    """The value, or null if the text is not exactly one."""
    text = number_text(column, F.col(f"_text_{column.name}"))
    match column.base_type:
        case "string":
            return text
        case "decimal":
            # Never round: a value that does not fit exactly is refused.
            exact = F.when(text.rlike(EXACT_NUMBER) | _is_exact_power(text), text.try_cast(WIDEST))
            value = exact.try_cast(column.type)
            return F.when(value == exact, value)
        case "int" | "long":
            return text.try_cast(column.type)
        case "double":
            value = F.when(text.rlike(PLAIN_NUMBER), text.try_cast("double"))
            vanished = (value == 0) & text.rlike(NOT_ZERO)
            return F.when((F.abs(value) < float("inf")) & ~vanished, value)
        case "boolean":
            return F.coalesce(*[F.when(F.lower(text) == said, F.lit(value)) for said, value in BOOLEANS.items()])
        case "date":
            formats = [F.to_date(F.try_to_timestamp(text, F.lit(pattern))) for pattern in column.formats]
            return F.coalesce(F.when(text.rlike(ISO_DATE), text.try_cast("date")), *formats)
        case _:
            return timestamp(column, text, zone)


def number_text(column: Column, text: SparkColumn) -> SparkColumn:
    """The number as Spark writes it, or null if it is not of the column's declared format."""
    if column.decimal != "." or column.thousands:
        mark, separator = re.escape(column.decimal), re.escape(column.thousands)
        whole = rf"(\d{{1,3}}({separator}\d{{3}})+|\d+)" if separator else r"\d+"
        shape = rf"^[+-]?({whole}({mark}\d*)?|{mark}\d+)([eE][+-]?\d+)?$"
        plain = F.translate(text, f"{column.decimal}{column.thousands}", ".")
        text = F.when(text.rlike(shape), plain)
    return F.regexp_replace(text, r"^([+-]?\d+)\.0*$", "$1") if column.integral else text


def _is_exact_power(text: SparkColumn) -> SparkColumn:
    """Whether a number with an exponent has no digit behind those that WIDEST holds."""
    digits = F.regexp_extract(text, POWER, 1)
    exponent = F.regexp_extract(text, POWER, 2).try_cast("int")
    whole = F.substring_index(digits, ".", 1)
    significant = F.rtrim(F.translate(digits, ".", ""), F.lit("0"))
    return text.rlike(POWER) & (F.length(significant) - F.length(whole) - exponent <= WIDEST_SCALE)


def timestamp(column: Column, text: SparkColumn, zone: str) -> SparkColumn:
    """In UTC; a text without a zone is in the zone that the contract declares."""
    iso = F.when(text.rlike(ISO_TIMESTAMP), text.try_cast("timestamp"))
    naive = F.coalesce(iso, *[F.try_to_timestamp(text, F.lit(pattern)) for pattern in column.formats])
    if zone == "UTC":
        return naive
    return F.when(text.rlike(HAS_ZONE), iso).otherwise(F.to_utc_timestamp(naive, zone))


def event_date(contract: Contract, ds: date) -> SparkColumn:
    return (
        holding(F.col(contract.event_time), contract.every)
        if contract.event_time
        else literal(*event_dates(contract, ds))
    )


Objection = tuple[SparkColumn, SparkColumn | str]  # the condition, and the reason code of the rows that meet it


def _is_met(objection: Objection) -> SparkColumn:
    return F.coalesce(objection[0], F.lit(False))


def _named(objection: Objection) -> SparkColumn:
    """The reason code, or null if the condition is not met."""
    when, reason = objection
    return F.when(when, reason if isinstance(reason, SparkColumn) else F.lit(reason))


def objections_in(contract: Contract, column: Column) -> list[Objection]:
    """The same in a contract: of a deleted row only the key is known, so that nothing else of it can be missing."""
    if changes_of(contract) is None or column.name in (*contract.key, *CHANGED):
        return objections(column)
    deleted = F.coalesce(F.col(DELETED), F.lit(False))
    return [(when & ~deleted, reason) for when, reason in objections(column)]


def objections(column: Column) -> list[Objection]:
    """The ways in which a value can break the contract."""
    text, value = F.col(f"_text_{column.name}"), F.col(column.name)
    refusals = [] if column.type == "string" else [(text.isNotNull() & value.isNull(), f"not_{column.base_type}")]
    if column.required:
        refusals.append((text.isNull(), "missing"))
    if column.minimum is not None:
        refusals.append((value < F.lit(column.minimum), f"under_{column.minimum}"))
    if column.above is not None:
        refusals.append((value <= F.lit(column.above), f"not_over_{column.above}"))
    if column.maximum is not None:
        refusals.append((value > F.lit(column.maximum), f"over_{column.maximum}"))
    if column.values:
        refusals.append((~value.isin(*column.values), "not_one_of_the_values"))
    if column.pattern:
        refusals.append((~value.rlike(column.pattern), "not_of_the_pattern"))
    return [(when, f"{column.name}:{problem}") for when, problem in refusals]


def placeholder_objections(contract: Contract) -> list[Objection]:
    """Years 1 and 9999 are placeholders for an unknown date; lateness already covers the event time itself."""
    dates = [column for column in contract.columns if column.base_type in ("date", "timestamp")]
    others = [column.name for column in dates if column.name != contract.event_time]
    return [(F.year(name).isin(*NO_YEARS), f"{name}:no_real_date") for name in others]


def lateness_objections(contract: Contract, ds: date) -> list[Objection]:
    """Refuses events after ds, and events older than the allowed lateness."""
    if contract.event_time is None:
        return []
    oldest = shifted(ds, -contract.lateness)
    return [
        (F.col("event_date") > literal(ds), f"{contract.event_time}:after_ds"),
        (
            F.col("event_date") < literal(oldest),
            f"{contract.event_time}:older_than_{contract.lateness}_{contract.every}s",
        ),
    ]
