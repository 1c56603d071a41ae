"""The statements of PostgreSQL that make a slice of a table equal to our rows."""

from __future__ import annotations

from typing import Any

from psycopg import sql

from common.delivery.slices import DeliveredSlice
from common.delivery.type_mapping import column_types

CREATE_LEDGER = (
    "CREATE TABLE IF NOT EXISTS {ledger} (source text, {slice} {slice_type}, table_id text NOT NULL, "
    "version bigint NOT NULL, hash text NOT NULL, rows bigint NOT NULL, run_id text NOT NULL, "
    "delivered_at timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (source, {slice}))"
)
DELIVERED = "SELECT table_id, version, hash FROM {ledger} WHERE source = %s AND {slice} = {value}"
RECORD = (
    "INSERT INTO {ledger} (source, {slice}, table_id, version, hash, rows, run_id) VALUES (%s, %s, %s, %s, %s, %s, %s) "
    "ON CONFLICT (source, {slice}) DO UPDATE SET table_id = excluded.table_id, version = excluded.version, "
    "hash = excluded.hash, rows = excluded.rows, run_id = excluded.run_id, delivered_at = excluded.delivered_at"
)
CREATE_TABLE = "CREATE TABLE IF NOT EXISTS {table} ({typed}, PRIMARY KEY ({identity}))"
LOCK = "SELECT pg_advisory_xact_lock(hashtext({name}))"
HAS_ROWS = "SELECT EXISTS (SELECT FROM {table} WHERE {slice} = {value})"
COUNT = "SELECT count(*) FROM {table} WHERE {slice} = {value}"
STAGE = "CREATE TEMPORARY TABLE {staging} ({typed}) ON COMMIT DROP"
COPY = "COPY {into} ({columns}) FROM STDIN (FORMAT csv)"
# One pass over both sides: asking an index for every row takes three times as long.
MEMORY = "SET LOCAL work_mem = '64MB'"
COMPARE = (
    "CREATE TEMPORARY TABLE {difference} ON COMMIT DROP AS SELECT {merged}, s.{slice} IS NULL AS {gone} FROM {staging} s "
    "FULL JOIN (SELECT {columns} FROM {table} WHERE {slice} = {value}) t USING ({identity}) "
    "WHERE ROW({staged}) IS DISTINCT FROM ROW({held})"
)
DELETE = "DELETE FROM {table} t USING {difference} d WHERE d.{gone} AND t.{slice} = {value} AND ({t_key}) = ({d_key})"
UPSERT = (
    "INSERT INTO {table} ({columns}) SELECT {columns} FROM {difference} WHERE NOT {gone} "
    "ON CONFLICT ({identity}) DO UPDATE SET ({columns}) = ROW({new})"
)
COLUMNS = (
    "SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute "
    "WHERE attrelid = to_regclass(%s) AND attnum > 0 AND NOT attisdropped"
)
KEYS = (
    "SELECT array_agg(a.attname::text ORDER BY a.attname) FROM pg_index i "
    "JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey) "
    "WHERE i.indrelid = to_regclass(%s) AND i.indisunique AND i.indpred IS NULL GROUP BY i.indexrelid"
)
EXISTS = "SELECT to_regclass(%s)"

Parts = dict[str, Any]


def parts_of(schema: str, chosen: DeliveredSlice) -> Parts:
    """What stands for the names in braces."""
    names, types = chosen.schema.names, column_types(chosen.schema)
    identity = (chosen.column, *chosen.key)
    typed = [sql.SQL("{} {}").format(sql.Identifier(name), sql.SQL(type_)) for name, type_ in types.items()]
    merged = [sql.Identifier(name) if name in identity else sql.Identifier("s", name) for name in names]
    return {
        "table": sql.Identifier(schema, chosen.table),
        "ledger": sql.Identifier(schema, chosen.ledger),
        "name": sql.Literal(f"{schema}.{chosen.table}"),
        "slice": sql.Identifier(chosen.column),
        "slice_type": sql.SQL(types[chosen.column]),
        "value": sql.Literal(chosen.value),
        "staging": sql.Identifier("staged_slice"),
        "difference": sql.Identifier("slice difference"),
        "gone": sql.Identifier("gone from it"),  # no column of ours has spaces
        "typed": sql.SQL(", ").join(typed),
        "merged": sql.SQL(", ").join(merged),
        "identity": _listed(identity),
        "columns": _listed(names),
        "staged": _listed(names, "s"),
        "held": _listed(names, "t"),
        "new": _listed(names, "excluded"),
        "t_key": _listed(chosen.key, "t"),
        "d_key": _listed(chosen.key, "d"),
    }


def _listed(names: list[str] | tuple[str, ...], prefix: str = "") -> sql.Composable:
    return sql.SQL(", ").join(sql.Identifier(*([prefix] if prefix else []), name) for name in names)
