# ruff: noqa: E501
"""The sources that a contract may declare besides Files, with the notes that reference.md shows about their fields."""

from __future__ import annotations

from typing import Any

from common.contracts.documents.field_notes import Notes
from common.sources.databases.jdbc import Jdbc
from common.sources.delta.feed import DeltaFeed
from common.sources.http.api import Http
from common.sources.kafka.topic import Kafka
from common.sources.mongo.collection import Mongo

# What each of them has.
_EVERY = {
    "any_case": ("Names of columns match in upper and lower case.", "any_case=True"),
    "on_bad_file": (
        'A part that cannot be read stops the day ("fail"), or is put aside ("quarantine").',
        'on_bad_file="quarantine"',
    ),
    "on_empty": ('A period without a row is missing, exit 4 ("fail"), or empty ("accept").', 'on_empty="accept"'),
    "empty_day_wipes": ("A period without a row removes the rows that it had before.", "empty_day_wipes=True"),
    "settle_minutes": (
        "How long after a period's end its rows may still come; it is not read before.",
        "settle_minutes=30",
    ),
}
SOURCES: dict[str, type[Any]] = {"Jdbc": Jdbc, "Mongo": Mongo, "Kafka": Kafka, "DeltaFeed": DeltaFeed, "Http": Http}
NOTES: Notes = {
    "Jdbc": {
        **_EVERY,
        "database": ("The environment variable <NAME>_DATABASE holds its address and login, or <NAME>_DATABASE_FILE names the file that does.", 'database="shop"'),
        "table": ("The table or view, with its schema if it needs one.", 'table="sales.orders"'),
        "watermark": ("The date or time of a row's last change: a period holds the rows changed in it; None for the whole table.", 'watermark="updated_at"'),
        "overlap_minutes": ("How far a period reaches into the one before, for rows that were committed late and clocks that differ.", "overlap_minutes=10"),
        "late_hours": ("How long after its day a whole table may still be taken for that day's.", "late_hours=24"),
        "deleted": ("In a whole table, the column that marks a deleted row: a boolean, or a time.", 'deleted="deleted_at"'),
        "parallel": ("How many connections read side by side.", "parallel=4"),
        "parallel_by": ("The number, date or time that divides the table between them.", 'parallel_by="id"'),
        "fetch_rows": ("How many rows a connection fetches at once.", "fetch_rows=10_000"),
    },
    "Mongo": {
        **_EVERY,
        "database": ("The environment variable <NAME>_DATABASE holds its address and login, or <NAME>_DATABASE_FILE names the file that does.", 'database="shop"'),
        "collection": ("The collection or view.", 'collection="orders"'),
        "watermark": ("The date of a document's last change, or _id for the time it was made at: a period holds the documents of that time; None for the whole collection.", 'watermark="updated_at"'),
        "overlap_minutes": ("How far a period reaches into the one before, for documents that were written late and clocks that differ.", "overlap_minutes=10"),
        "late_hours": ("How long after its day a whole collection may still be taken for that day's.", "late_hours=24"),
        "parallel": ("How many connections read side by side.", "parallel=4"),
        "timeout_seconds": ("How long one answer may take.", "timeout_seconds=60"),
    },
    "Kafka": {
        **_EVERY,
        "cluster": ("The environment variable <NAME>_KAFKA holds its address and login, or <NAME>_KAFKA_FILE names the file that does.", 'cluster="shop"'),
        "topic": ("The topic.", 'topic="orders"'),
        "value": ("What a message's value is: an object in JSON.", 'value="json"'),
        "key_as": ("The column that gets a message's key, as text.", 'key_as="product"'),
        "sent_as": ("The column that gets the time of a message.", 'sent_as="sent_at"'),
        "offset_as": ("The column that gets a message's place, such as 0:17, which no other message of the topic has.", 'offset_as="place"'),
        "deleted_as": ("The column that says whether a message has no value, which otherwise goes to quarantine; needs key_as.", 'deleted_as="deleted"'),
        "headers": ("The headers that become columns of their names.", 'headers=("trace_id",)'),
        "changes": ("The messages are changes of rows: see Debezium.", "changes=Debezium()"),
        "compacted": ("The topic loses messages whose key comes again; a period is then read once.", "compacted=True"),
        "longest_record": ("In characters; a longer value is quarantined.", "longest_record=1_000_000"),
    },
    "DeltaFeed": {
        **_EVERY,
        "lake": ("The environment variable <NAME>_LAKE holds its place, or <NAME>_LAKE_FILE names the file that does.", 'lake="crm"'),
        "table": ("The table's path in that lake; its property delta.enableChangeDataFeed is true.", 'table="processed/customers"'),
    },
    "Http": {
        **_EVERY,
        "base": ("The API's address; nothing else is asked, and no redirect followed.", 'base="https://api.shop.example/v1"'),
        "path": ("What is asked for.", 'path="/orders"'),
        "parameters": ("Sent with every request; {start}, {end} (UTC, as 2026-01-05T00:00:00Z) and {ds} are the period's.", 'parameters={"from": "{start}", "to": "{end}"}'),
        "pages": ("How the next page is found: ByPage, ByOffset, ByCursor or ByLink.", ""),
        "records": ("Where in a page's document the list of records is; empty if the document is the list.", 'records="data.items"'),
        "auth": ("The environment variable <NAME>_TOKEN holds the token, or <NAME>_TOKEN_FILE names the file that does.", 'auth="shop"'),
        "auth_header": ("The header that carries the token.", 'auth_header="X-Api-Key"'),
        "auth_scheme": ("The word before the token.", 'auth_scheme=""'),
        "rate": ("How many requests a second are made at most.", "rate=5.0"),
        "attempts": ("How often a page is asked for before the run gives up.", "attempts=5"),
        "timeout_seconds": ("How long one answer may take.", "timeout_seconds=30"),
        "most_pages": ("A period with more pages stops.", "most_pages=10_000"),
        "most_megabytes": ("A period with more bytes stops.", "most_megabytes=200"),
    },
}  # fmt: skip
