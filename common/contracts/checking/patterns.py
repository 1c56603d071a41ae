"""What is wrong with a regular expression or a date format, before Spark sees it."""

from __future__ import annotations

import re
import warnings

# The letters that Spark's datetime patterns know.
LETTERS = frozenset("GyMLdQqEDaHhKkmsSVzOXx")
# What Java's regular expressions, which Spark uses, may have and Python's lack: \p{L}, \z, (?<name>...).
JAVA_ONLY = ("bad escape", "unknown extension")


def pattern_fault(pattern: str) -> str:
    """What keeps a pattern from being a regular expression; empty if nothing."""
    try:
        with warnings.catch_warnings():  # Python warns of what Java reads differently: [a-z&&[^b]]
            warnings.simplefilter("ignore", FutureWarning)
            re.compile(pattern)
    except re.error as error:
        if not error.msg.startswith(JAVA_ONLY):
            return f"pattern {pattern!r} is not a regular expression: {error}; correct it"
    return ""


def format_fault(text: str) -> str:
    """What keeps a text from being a date format of Spark; empty if nothing."""
    advice = "expected Spark's letters, like yyyy-MM-dd HH:mm:ss, and other letters in single quotes"
    if text.count("'") % 2:
        return f"format {text!r} has a single quote that is not closed; {advice}"
    bare = re.sub(r"'[^']*'", "", text)
    unknown = sorted({letter for letter in bare if letter in "%#{}" or (letter.isalpha() and letter not in LETTERS)})
    if unknown or not LETTERS.intersection(bare):
        return f"format {text!r} is unknown{': ' + ', '.join(map(repr, unknown)) if unknown else ''}; {advice}"
    return ""
