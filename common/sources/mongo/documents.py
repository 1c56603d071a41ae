"""Documents, which have fields within fields, as the rows of a contract. Plain Python: it runs inside Spark's tasks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import pyarrow as pa

from common.contracts.contract import Contract
from common.sources.arrow_batches import record_batch, refused_batch
from common.sources.files.text_records import decimal_marks
from common.sources.json_values import RepeatedNames, is_text, repeats
from common.sources.parsed_block import ParsedBlock
from common.sources.unknown_names import UnknownNames

ROWS_A_BATCH = 10_000
# From a value and the decimal mark of its column.
AsText = Callable[[Any, str], str | None]


class DocumentReader:
    """Finds each column's field by its name in the source: `customer.address.city` leads into documents.

    A list on the path gives a list of what is behind it, a whole number in the path one element.
    """

    def __init__(self, contract: Contract, as_text: AsText, dump: Callable[[Any], str]) -> None:
        self._as_text, self._dump = as_text, dump
        self._fold = contract.source.fold if contract.source.any_case else None
        fold, marks = contract.source.fold, decimal_marks(contract.columns)
        self.columns = [column.name for column in contract.columns]
        sources = [fold(column.source or column.name) for column in contract.columns]
        self._fields = [
            (name, name.split("."), marks.get(column, ".")) for name, column in zip(sources, self.columns, strict=True)
        ]
        self._known = {*sources, *(name.partition(".")[0] for name in sources)}

    def batches(self, unit: str, documents: Iterable[Any]) -> Iterator[pa.RecordBatch]:
        """All documents in the columns that `Source.read` promises; at the end, the names that no column uses.

        Each is taken apart as it comes, while its source already sends the next ones.
        """
        unknown, block = UnknownNames(), ParsedBlock()
        for document in documents:
            self._take(document, block, unknown)
            if block.lines == ROWS_A_BATCH:
                yield from self._made(unit, block)
                block = ParsedBlock()
        yield from self._made(unit, block)
        if shown := unknown.shown():
            yield refused_batch(unit, ParsedBlock(extra={*shown}), self.columns)

    def _made(self, unit: str, block: ParsedBlock) -> Iterator[pa.RecordBatch]:
        if block.rows:
            yield record_batch(unit, list(zip(*block.rows, strict=True)), self.columns, len(block.rows))
        if block.refused:
            yield refused_batch(unit, block, self.columns)

    def _take(self, document: Any, block: ParsedBlock, unknown: UnknownNames) -> None:
        block.lines += 1
        try:
            problem, row = self._row(document)
            text = self._dump(document) if problem else ""
        except RecursionError:
            problem, row, text = "nested_value", [], "a document that is nested too deeply"
        if problem:
            block.refuse(problem, text.encode("utf-8", "backslashreplace").decode())
            return
        block.rows.append(row)
        unknown.add(self._folded(document).keys() - self._known)

    def _row(self, document: Any) -> tuple[str, list[str | None]]:
        if not isinstance(document, Mapping):
            return "not_an_object", []
        folded = self._folded(document)
        if isinstance(document, RepeatedNames) or len(folded) != len(document):
            return "name_twice", []
        nested = [value for name, value in folded.items() if isinstance(value, dict | list) and name in self._known]
        if any(map(repeats, nested)):
            return "name_twice", []
        row: list[str | None] = []
        for name, path, mark in self._fields:
            value = folded[name] if name in folded else self._find(document, path)
            row.append(value if type(value) is str else self._as_text(value, mark))
        if not is_text("".join([*folded, *(text for text in row if text)])):
            return "half_a_character", []
        return "", row

    def _find(self, value: Any, path: list[str]) -> Any:
        for place, name in enumerate(path):
            if isinstance(value, list):
                if not name.isdecimal():
                    return [self._find(each, path[place:]) for each in value]
                value = value[int(name)] if int(name) < len(value) else None
            elif isinstance(value, Mapping):
                value = self._folded(value).get(name)
            else:
                return None
        return value

    def _folded(self, document: Mapping[str, Any]) -> Mapping[str, Any]:
        return document if self._fold is None else {self._fold(name): value for name, value in document.items()}
