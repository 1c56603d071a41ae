"""Bad inputs, one table: what lands, and what becomes of it.

A file has columns `id,note,amount`. Its outcome is `refused: words of the reason`, or the accepted ids and the problems of the
quarantined records. A value stands in one column of a purchase; its outcome is the reason, or `accepted`.
"""

from __future__ import annotations

import gzip
import io
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.parquet as pq

HEADER = "id,note,amount\n"


@dataclass(frozen=True)
class BadInput:
    what: str
    name: str
    content: bytes
    ids: str = ""  # accepted
    problems: str = ""  # of quarantined records
    refused: str = ""


def parquet(**columns: object) -> bytes:
    file = io.BytesIO()
    pq.write_table(pa.table(columns), file)
    return file.getvalue()


def csv(text: str, encoding: str = "utf-8") -> bytes:
    return (HEADER + text).encode(encoding)


FILES = (
    # Quotes and records.
    BadInput("a record inside a quoted field", "a.csv", csv('1,"x\n9,forged,9.99\ny",2\n'), ids="1"),
    BadInput("the same in a record of another width", "a.csv", csv('1,"x\n9,f,9\n",2,3\n4,,5\n'), "4", "too_many_fields"),
    BadInput("a quote after a closed quote", "a.csv", csv('1,"x"y,2\n3,,4\n'), "3", "broken_quoting"),
    BadInput("the same, and then a line in quotes", "a.csv", csv('1,"x"y,"\n9,f,9\n"\n3,,4\n'), "3", "broken_quoting"),
    BadInput("a quote inside a field that has none around it", "a.csv", csv('1,12" pipe,2\n'), ids="1"),
    BadInput("a quote that is never closed", "a.csv", csv('1,"x,2\n3,,4\n'), refused="ends inside quotes"),
    BadInput("a doubled quote at the end of the file", "a.csv", csv('1,"x""'), refused="ends inside quotes"),
    BadInput("single quotes, which mean nothing", "a.csv", csv("1,'a,b',2\n3,,4\n"), "3", "too_many_fields"),
    BadInput("a backslash before a quote, which means nothing", "a.csv", csv('1,"a\\",2\n'), ids="1"),
    BadInput("spaces around quotes", "a.csv", csv('1, "a" ,2\n'), ids="1"),
    BadInput("empty quotes", "a.csv", csv('1,"",2\n'), ids="1"),
    BadInput("a line of delimiters alone", "a.csv", csv(",,\n"), ids="(empty)"),
    BadInput("semicolons instead of commas", "a.csv", b"id;note;amount\n1;x;2\n", refused="lacks ['id']"),
    BadInput("tabs instead of commas in the rows", "a.csv", csv("1\tx\t2\n"), problems="too_few_fields"),
    BadInput("a trailing delimiter", "a.csv", csv("1,x,2,\n"), problems="too_many_fields"),
    # Line ends.
    BadInput("carriage returns alone", "a.csv", csv("1,x,2\r3,,4\r"), problems="carriage_return"),
    BadInput("carriage returns alone, also behind the header", "a.csv", b"id,text,number\r1,x,2\r", refused="carriage return"),
    BadInput("CRLF", "a.csv", csv("1,x,2\r\n3,,4\r\n"), ids="1 3"),
    BadInput("a Unicode line separator", "a.csv", csv("1,x\u2028y,2\n"), ids="1"),
    BadInput("a form feed and a NEL", "a.csv", csv("1,x\x0c\x85y,2\n"), ids="1"),
    BadInput("cut in its last record", "a.csv", csv("1,x,2\n3,"), refused="the file was cut"),
    BadInput("no newline at the end", "a.csv", csv("1,x,2\n3,,4"), ids="1 3"),
    # Encodings.
    BadInput("UTF-16", "a.csv", csv("1,x,2\n", "utf-16"), refused="is not utf-8"),
    BadInput("a byte of Latin-1", "a.csv", csv("1,caf", "utf-8") + b"\xe9,2\n", refused="is not utf-8"),
    BadInput("a cut multi-byte character at the end", "a.csv", csv("1,x,2\n3,") + b"\xc3", refused="is not utf-8"),
    BadInput("a surrogate in UTF-8", "a.csv", csv("1,") + b"\xed\xa0\x80,2\n", refused="is not utf-8"),
    BadInput("an overlong slash", "a.csv", csv("1,") + b"\xc0\xaf,2\n", refused="is not utf-8"),
    BadInput("NUL characters", "a.csv", csv("1,a\x00b,2\n"), ids="1"),
    BadInput("a BOM", "a.csv", b"\xef\xbb\xbf" + csv("1,x,2\n"), ids="1"),
    BadInput("two BOMs", "a.csv", b"\xef\xbb\xbf\xef\xbb\xbf" + csv("1,x,2\n"), refused="lacks ['id']"),
    # Headers.
    BadInput("no header", "a.csv", b"1,x,2\n", refused="lacks ['id']"),
    BadInput("a header twice", "a.csv", csv(HEADER), ids="id"),
    BadInput("a name twice", "a.csv", b"id,note,note,amount\n1,x,y,2\n", refused="['note'] twice"),
    BadInput("a header in upper case", "a.csv", b"ID,NOTE,AMOUNT\n1,x,2\n", refused="lacks ['id']"),
    BadInput("a header over two lines", "a.csv", b'id,"no\nte",amount\n1,x,2\n', refused="broken quoting"),
    BadInput("spaces around names", "a.csv", b" id , note , amount \n1,x,2\n", ids="1"),
    BadInput("a name that is empty", "a.csv", b"id,,amount\n1,x,2\n", ids="1"),
    BadInput("a header alone", "a.csv", HEADER.encode()),
    BadInput("an empty file", "a.csv", b""),
    BadInput("blank lines alone", "a.csv", b"\n\r\n\n"),
    # JSON.
    BadInput("an array over several lines", "a.json", b'[\n{"id": 1},\n{"id": 2}\n]\n', refused="expected JSON lines"),
    BadInput("an object over several lines", "a.json", b'{"more": [\n{"id": 9}\n]}\n', refused="expected JSON lines"),
    BadInput("an array in a line", "a.jsonl", b'{"id": 1}\n[{"id": 9}]\n', "1", "not_an_object"),
    BadInput(
        "an array over several lines behind an object",
        "a.jsonl",
        b'{"id": 1}\n[\n{"id": 7},\n  \n{"id": 8},\n{"id": 9}\n]\n',
        ids="1",
        problems="not_json not_json not_json not_json part_of_a_value not_json",
    ),
    BadInput(
        "an object over several lines behind another",
        "a.jsonl",
        b'{"id": 1}\n{"x": {}\n, "more":\n{"id": 9}\n}\n{"id": 2}\n',
        ids="1 2",
        problems="not_json not_json part_of_a_value not_json",
    ),
    BadInput("two objects in a line", "a.jsonl", b'{"id": 1}\n{"id": 8}{"id": 9}\n', "1", "not_json"),
    BadInput("a comment", "a.jsonl", b'{"id": 1}\n// {"id": 9}\n', "1", "not_json"),
    BadInput("a trailing comma", "a.jsonl", b'{"id": 1}\n{"id": 9,}\n', "1", "not_json"),
    BadInput("a name twice in an object", "a.jsonl", b'{"id": 1}\n{"id": 8, "id": 9}\n', "1", "name_twice"),
    BadInput("a nested value in a known field", "a.jsonl", b'{"id": 1}\n{"id": {"x": 9}}\n', "1", "nested_value"),
    BadInput("a nested value in an unknown field", "a.jsonl", b'{"id": 1, "tags": {"id": 9}}\n', ids="1"),
    BadInput("brackets a thousand deep", "a.jsonl", b'{"id": 1}\n' + b"[" * 100_000 + b"\n", "1", "not_json"),
    BadInput("half a character", "a.jsonl", b'{"id": 1}\n{"id": "\\ud800"}\n', "1", "half_a_character"),
    BadInput("an object that is cut", "a.jsonl", b'{"id": 1}\n{"id": 9', "1", "not_json"),
    BadInput("names that are CSV", "a.jsonl", b"id,note,amount\n1,x,2\n", problems="not_json not_json"),
    # Compressed.
    BadInput("a cut gzip", "a.csv.gz", gzip.compress(csv("1,x,2\n") * 50)[:-9], refused="truncated or corrupt"),
    BadInput("gzip with rubbish behind", "a.csv.gz", gzip.compress(csv("1,x,2\n")) + b"rubbish", refused="truncated or corrupt"),
    BadInput("two gzip members", "a.csv.gz", gzip.compress(csv("1,x,2\n")) + gzip.compress(b"3,,4\n"), ids="1 3"),
    BadInput("CSV that calls itself gzip", "a.csv.gz", csv("1,x,2\n"), refused="truncated or corrupt"),
    BadInput("gzip that calls itself CSV", "a.csv", gzip.compress(csv("1,x,2\n")), refused="is not utf-8"),
    BadInput("a zip", "a.csv.gz", b"PK\x03\x04rubbish", refused="truncated or corrupt"),
    # Parquet.
    BadInput("Parquet that calls itself CSV", "a.csv", parquet(id=[1], note=["x"], amount=["2"]), refused=" "),
    BadInput("CSV that calls itself Parquet", "a.parquet", csv("1,x,2\n"), refused="can't be read"),
    BadInput("a cut Parquet", "a.parquet", parquet(id=["1"], note=["x"], amount=["2"])[:-20], refused="can't be read"),
    BadInput("a list in a column", "a.parquet", parquet(id=[["1"]], note=["x"], amount=["2"]), refused="types have changed"),
    BadInput("bytes in a column", "a.parquet", parquet(id=[b"\xff"], note=["x"], amount=["2"]), refused="types have changed"),
    BadInput(
        "text that is not UTF-8",
        "a.parquet",
        parquet(id=["1"], note=["xAAAAy"], amount=["2"]).replace(b"xAAAAy", b"xA\xff\xffAy"),
        refused="Invalid UTF8",
    ),
    BadInput("a column of nulls", "a.parquet", parquet(id=["1"], note=pa.nulls(1), amount=["2"]), ids="1"),
    BadInput("categories", "a.parquet", parquet(id=pa.array(["1"]).dictionary_encode(), note=["x"], amount=["2"]), ids="1"),
    # Names.
    BadInput("another kind of file", "a.xlsx", b"PK", refused="ends in none of"),
    BadInput("a name in upper case", "A.CSV", csv("1,x,2\n"), ids="1"),
    BadInput("a name with spaces and a percent sign", "a b%20c.csv", csv("1,x,2\n"), ids="1"),
)  # fmt: skip

VALUES = (
    # Column, text, reason (or accepted).
    ("purchase_amount", "10.0000000000000000001", "purchase_amount:not_decimal"),
    ("purchase_amount", "1e-400", "purchase_amount:not_decimal"),
    ("purchase_amount", "١٢.٥٠", "purchase_amount:not_decimal"),
    ("purchase_amount", "１２", "purchase_amount:not_decimal"),
    ("purchase_amount", "1_000", "purchase_amount:not_decimal"),
    ("purchase_amount", "1,000.00", "purchase_amount:not_decimal"),
    ("purchase_amount", "$10", "purchase_amount:not_decimal"),
    ("purchase_amount", "10.00 EUR", "purchase_amount:not_decimal"),
    ("purchase_amount", "0x10", "purchase_amount:not_decimal"),
    ("purchase_amount", "10d", "purchase_amount:not_decimal"),
    ("purchase_amount", "--10", "purchase_amount:not_decimal"),
    ("purchase_amount", "1.2.3", "purchase_amount:not_decimal"),
    ("purchase_amount", ".", "purchase_amount:not_decimal"),
    ("purchase_amount", "10\u00a0", "accepted"),
    ("purchase_amount", "+10.00", "accepted"),
    ("age", "1e1", "age:not_int"),
    ("age", "30.0", "age:not_int"),
    ("age", "99999999999999999999", "age:not_int"),
    ("age", "-0", "accepted"),
    ("age", "٣٠", "age:not_int"),
    ("user_id", "9223372036854775808", "user_id:not_long"),
    ("timestamp", "2026-01-05T10:00:00+25:00", "timestamp:not_timestamp"),
    ("timestamp", "2026-01-05T24:00:00Z", "timestamp:not_timestamp"),
    ("timestamp", "2026-01-05 10:00:60", "timestamp:not_timestamp"),
    ("timestamp", "1767607200", "timestamp:not_timestamp"),
    ("timestamp", "2026-02-29", "timestamp:not_timestamp"),
    ("timestamp", "٢٠٢٦-٠١-٠٥", "timestamp:not_timestamp"),
    ("timestamp", "2026-01-05T10:00:00.123456789Z", "timestamp:not_timestamp"),
    ("category", "food\x00", "category:not_one_of_the_values"),
    ("category", "fооd", "category:not_one_of_the_values"),
    ("category", "<script>", "category:not_one_of_the_values"),
    ("category", "'; drop table x", "category:not_one_of_the_values"),
    ("transaction_id", " \t\u00a0", "transaction_id:missing"),
)
