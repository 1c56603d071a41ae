"""Text of strangers is shown as it is only where it can do no harm."""

import pytest

from common.printable import printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("süß 食べ物.csv", "süß 食べ物.csv"),
        ("[red]x[/red]", "[red]x[/red]"),
        ("a\x1b[2Jb", r"a\x1b[2Jb"),
        ('z\n{"job"', r'z\n{"job"'),
        ("a\r\tb\x9b", r"a\r\tb\x9b"),
        ("cod\u202egpj.exe", r"cod\u202egpj.exe"),
        ("part\udcff.csv", r"part\udcff.csv"),
        ("one\u2028two", r"one\u2028two"),
    ],
)
def test_only_characters_that_can_be_printed_stay(text: str, shown: str) -> None:
    assert printable(text) == shown
    assert printable(shown) == shown, "escaping again changes nothing"
