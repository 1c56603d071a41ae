"""Text from files and values, made safe to show on a terminal and in a log line."""

from __future__ import annotations


def printable(value: object) -> str:
    """Escape control characters, terminal escapes, text direction marks and lone surrogates, as `repr` does."""
    text = str(value)
    return text if text.isprintable() else "".join(map(_escaped, text))


def is_text(text: str) -> bool:
    """Whether it came from UTF-8. Python keeps other bytes as lone surrogates; Java, and so spark-submit, writes U+FFFD."""
    return not any(character == "\ufffd" or "\ud800" <= character <= "\udfff" for character in text)


def _escaped(character: str) -> str:
    return character if character.isprintable() else repr(character)[1:-1]
