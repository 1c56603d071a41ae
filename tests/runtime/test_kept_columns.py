"""What follows from a declaration is made once, and the JVM is asked once for each of its functions."""

from dataclasses import dataclass
from typing import Any

from common.runtime.kept_columns import once_a_declaration


@dataclass(frozen=True)
class Limit:
    minimum: float


def test_columns_of_a_declaration_are_made_once() -> None:
    asked = []

    @once_a_declaration
    def columns(limit: Limit, name: str) -> str:
        asked.append(name)
        return f"{name} over {limit.minimum}"

    limit = Limit(0)
    assert [columns(limit, "age"), columns(limit, "price"), columns(limit, "age")] == [
        "age over 0",
        "price over 0",
        "age over 0",
    ]
    assert asked == ["age", "price"]


def test_declarations_that_are_equal_keep_their_own_words() -> None:
    words = once_a_declaration(lambda limit: f"under_{limit.minimum}")
    assert (words(Limit(0)), words(Limit(0.0))) == ("under_0", "under_0.0")


def test_the_jvm_is_asked_once_for_each_function(spark: Any) -> None:
    jvm = spark.sparkContext._jvm
    assert jvm.functions.col is jvm.functions.col
    assert jvm.functions.col("age").toString() == "age"
