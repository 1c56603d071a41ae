"""Write a dataset's folder with a contract that was guessed from a sample, to be read and edited."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from common.contracts.contract import LINE, Files
from common.errors import UsageError
from common.names import NAME
from common.sources.guessing.first_rows import Sample, read_sample
from common.sources.guessing.guess import Guess, event_time_of, guess_columns, keys_of

PERSONAL = re.compile(r"(^|_)(name|email|mail|phone|mobile|address|street|birth\w*|iban|ssn|passport)($|_)")
TRANSFORMS = '''"""What is particular to {name}: pure functions of rows."""

from pyspark.sql import DataFrame


def derive(rows: DataFrame) -> DataFrame:
    """Add the contract's derived columns to typed rows."""
    return rows


def measure(rows: DataFrame) -> DataFrame:
    """Add the columns that only features need."""
    return rows
'''


def write_dataset(name: str, file: Path, datasets: Path) -> Path:
    """Write the folder of a new dataset and return it; an existing one is never touched."""
    folder = datasets / name
    if not NAME.fullmatch(name):
        raise UsageError(f"{name!r} is not allowed as a name; expected lower case letters, digits and _")
    if folder.exists():
        raise UsageError(f"{folder} exists already and was not changed; choose another name, or remove the folder")
    texts = {
        "__init__.py": "",
        "contract.py": contract_text(name, file.name, read_sample(file)),
        "transforms.py": TRANSFORMS.format(name=name),
    }
    folder.mkdir(parents=True)
    for path, text in texts.items():
        (folder / path).write_text(text, encoding="utf-8")
    return folder


def contract_text(name: str, file: str, sample: Sample) -> str:
    """The contract's module, as ruff would format it."""
    columns = guess_columns(sample)
    event_time = event_time_of(columns) if len(columns) > 1 else None
    key, notes = _key(columns, event_time)
    if event_time is None and len(key) > 1:
        key, notes = (
            key[:1],
            ["A snapshot has one row for each key, but no single column identifies a row: look for one."],
        )
    entity = _entity(columns, key, event_time)
    features = [*_features(columns, key, event_time, entity)]
    aggregates = sorted({rule.partition("(")[0] for _, rule in features})
    source = _source(sample)
    names = [
        *(["LINE"] if key == LINE else []),
        "Column",
        "Contract",
        "Feature",
        "Features",
        *(["Files"] if source else []),
    ]
    lines = [
        f'"""{_sentence(name)}: guessed from {len(columns[0].texts):,} rows of {_plain(file)}. Read every line, correct it."""',
        "",
        f"from common.contracts.aggregates import {', '.join(aggregates)}",
        f"from common.contracts.contract import {', '.join(names)}",
        "",
        "CONTRACT = Contract(",
        f'    name="{name}",',
        '    description="What the rows are, in a sentence.",',
        "    columns=(",
        *(line for column in columns for line in _column(column, key, event_time)),
        "    ),",
        *(f"    # {note}" for note in notes),
        f"    key={'LINE' if key == LINE else _tuple(key)},",
        *source,
        *_time(event_time),
        "    features=Features(",
        "        version=1,",
        f'        entity="{entity}",',
        "        columns=(",
        *(f'            Feature("{feature}", {rule}),' for feature, rule in features),
        "        ),",
        "    ),",
        ")",
        "",
    ]
    return "\n".join(lines)


def _key(columns: list[Guess], event_time: str | None) -> tuple[tuple[str, ...], list[str]]:
    candidates = keys_of(columns)
    if candidates:
        others = [" and ".join(other) for other in candidates[1:6]]
        return candidates[0], [f"Also without a repetition in the sample: {', '.join(others)}."] if others else []
    if event_time and LINE[0] not in {column.name for column in columns}:
        return LINE, ["No columns identify a row of the sample: each line counts as an event of its own."]
    required = [column for column in columns if column.required] or columns[:1]
    likeliest = max(required, key=lambda column: len({*column.texts}))
    return (likeliest.name,), ["No column and no pair of columns identifies a row of the sample: look for a key."]


def _entity(columns: list[Guess], key: tuple[str, ...], event_time: str | None) -> str:
    """Of a snapshot its key; of events the first column that repeats and could be an id."""
    if event_time is None:
        return key[0]
    able = [column for column in columns if column.required and column.base_type in ("string", "int", "long")]
    repeated = [column.name for column in able if not column.unique and not column.values]
    named = [name for name in repeated if name.endswith("_id")]
    return next(iter([*named, *repeated, *(column.name for column in able)]), key[0])


def _features(
    columns: list[Guess], key: tuple[str, ...], event_time: str | None, entity: str
) -> Iterator[tuple[str, str]]:
    if event_time is None:
        others = [column.name for column in columns if column.name not in key]
        yield from ((name, f'Pick("{name}")') for name in others)
        if not others:
            yield "ds_month", 'DatePart("month")'
        return
    yield "events_7d", "Count(7)"
    yield "events_30d", "Count(30)"
    for column in columns:
        if column.name == entity:
            continue
        if column.base_type == "decimal":
            yield f"{column.name[:50]}_30d", f'Sum(30, "{column.name}")'
        if column.base_type == "double":
            yield f"{column.name[:50]}_30d", f'Max(30, "{column.name}")'


def _column(column: Guess, key: tuple[str, ...], event_time: str | None) -> Iterator[str]:
    required = column.required or column.name in (*key, event_time)
    yield f"        # {_seen(column)}"
    yield "        Column("
    yield f'            name="{column.name}",'
    if column.name != column.in_file:
        yield f"            source={_quoted(column.in_file)},"
    yield f'            type="{column.type}",'
    if required:
        yield "            required=True,"
    if column.integral:
        yield "            integral=True,"
    if column.numbers and min(column.numbers) >= 0:
        yield "            minimum=0,"
    if column.values and column.name not in key:
        yield from _listed("values", column.values)
    if column.format:
        yield f'            formats=("{column.format}",),'
    if PERSONAL.search(column.name):
        yield "            sensitive=True,"
    yield '            description="",'
    yield "        ),"


def _seen(column: Guess) -> str:
    """What the sample holds."""
    missing = len(column.texts) - len(column.known)
    different = len({*column.known})
    parts = [f"{different:,} different values" if different != 1 else f"always {_plain(column.known[0])}"]
    if column.numbers:
        parts.append(f"{min(column.numbers):.15g} to {max(column.numbers):.15g}")
    elif column.base_type in ("date", "timestamp") and not column.format:
        parts.append(f"{min(column.known)} to {max(column.known)}")
    if column.other_format:
        parts.append(f"dates of {column.other_format} too: ask the sender which it is, and keep one")
    return ", ".join([*parts, *([f"{missing / len(column.texts):.1%} missing"] if missing else [])])


def _listed(name: str, values: tuple[str, ...]) -> Iterator[str]:
    yield f"            {name}=("
    yield from (f'                "{value}",' for value in values)
    yield "            ),"


def _time(event_time: str | None) -> list[str]:
    if event_time is None:
        return ["    # No column tells when an event happened: every day's files hold the whole table."]
    return [f'    event_time="{event_time}",', "    lateness_days=3,"]


def _source(sample: Sample) -> list[str]:
    declared = [f"delimiter={_quoted(sample.delimiter)}"] if sample.delimiter != "," else []
    declared += [f'encoding="{sample.encoding}"'] if sample.encoding != "utf-8" else []
    if sample.longest > Files.longest_record:
        declared.append(f"longest_record={2 * sample.longest:_}")
    return [f"    source=Files({', '.join(declared)}),"] if declared else []


def _tuple(names: tuple[str, ...]) -> str:
    return f"({', '.join(_quoted(name) for name in names)}{',' * (len(names) == 1)})"


def _quoted(text: str) -> str:
    quoted = repr(text)
    return quoted if '"' in text else f'"{quoted[1:-1]}"'


def _plain(text: str) -> str:
    """Safe in a comment or a docstring."""
    return re.sub(r"[^\w .,:+-]", "?", text)[:60]


def _sentence(name: str) -> str:
    return name.replace("_", " ").capitalize()
