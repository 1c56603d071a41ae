"""A service that is down, slow or wrong: what it scored is kept, the rest is asked again later, and no run waits for ever."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from common.contracts import datasets
from common.contracts.column import Column
from common.contracts.scoring import Scoring, required_scoring
from common.errors import ContractDeclarationError, SourceUnreachableError, UsageError
from common.scoring.pending import Record
from common.scoring.service import ScoringService, WrongAnswerError, fits
from tests.support.scorer import Scorer, score_of, scorer

MENTIONS = datasets.load("mentions")
QUICK = {"timeout_seconds": 0.2, "attempts": 1, "records_a_request": 4}


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[Scorer]:
    with scorer() as started:
        monkeypatch.setenv("SENTIMENT_SERVICE", started.address)
        yield started


def mentions(*texts: str) -> list[Record]:
    return [{"mention_id": str(number), "text": text} for number, text in enumerate(texts)]


def asking(**changes: Any) -> ScoringService:
    return ScoringService(replace(required_scoring(MENTIONS), **{**QUICK, **changes}), MENTIONS.contract)


def scores(asked: ScoringService, *texts: str) -> dict[str | None, str | None]:
    return {record["text"]: record["score"] for record in asked.scored(mentions(*texts))}


def test_texts_are_sent_in_bulk_and_each_gets_its_score(service: Scorer) -> None:
    texts = [f"good {number}" if number % 3 else f"bad {number}" for number in range(10)]
    assert scores(asking(), *texts) == {text: score_of(text) for text in texts}
    assert [len(sent) for sent in service.asked] == [4, 4, 2]


def test_a_failure_that_passes_is_asked_again(service: Scorer) -> None:
    service.behaviours = [service.broken, service.good]
    assert scores(asking(attempts=2), "good") == {"good": "0.2500"}


@pytest.mark.parametrize("how", ["broken", "slow", "one_short"])
def test_a_service_that_only_fails_is_soon_asked_no_more(service: Scorer, how: str) -> None:
    service.behaviours = [getattr(service, how)]
    asked, began = asking(), time.monotonic()
    assert scores(asked, *map(str, range(100))) == {}
    assert (asked.is_given_up, len(service.asked)) == (True, 3)
    assert isinstance(asked.error, WrongAnswerError if how == "one_short" else SourceUnreachableError)
    assert time.monotonic() - began < 5


def test_a_service_that_is_not_there_costs_no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    with scorer() as gone:
        monkeypatch.setenv("SENTIMENT_SERVICE", gone.address)
    asked = asking()
    assert scores(asked, "good") == {}
    assert "can't be reached" in str(asked.error)


def test_what_was_scored_before_it_fell_silent_is_kept(service: Scorer) -> None:
    service.behaviours = [service.good, service.broken]
    asked = asking()
    assert len(scores(asked, *map(str, range(20)))) == 4
    assert asked.is_given_up


def test_a_record_that_it_cannot_take_stops_no_other(service: Scorer) -> None:
    service.behaviours = [service.poisoned]
    texts = ["good", "poison", *map(str, range(9))]
    asked = asking(records_a_request=200)
    assert scores(asked, *texts).keys() == {*texts} - {"poison"}
    assert (asked.refused, asked.is_given_up) == (1, False)


@pytest.mark.parametrize(
    "values",
    [
        {"score": "much"},
        {"score": None},
        {"score": [0.5]},
        {"score": "1.5"},
        {"score": "0.12345"},
        {"score": "NaN"},
        {"score": True},
        {"score_model": "1.5"},
        {"score_model": 0},
    ],
)
def test_an_answer_of_another_type_is_not_taken(service: Scorer, values: dict[str, Any]) -> None:
    service.behaviours = [service.saying(**values)]
    asked = asking()
    assert scores(asked, "good", "bad") == {}
    assert isinstance(asked.error, WrongAnswerError)


SCORE = '{"score": "0.5", "score_model": 1}'
NAMES_TWICE = [
    f'{{"records": [{SCORE}], "records": [{SCORE}]}}',
    '{"records": [{"score": "0.5", "score": "-0.5", "score_model": 1}]}',
]


@pytest.mark.parametrize("answer", [[], {}, {"records": {}}, "[", {"records": ["0.5"]}, *NAMES_TWICE])
def test_an_answer_of_another_shape_is_not_taken(service: Scorer, answer: Any) -> None:
    service.behaviours = [lambda texts: (200, answer)]
    assert scores(asking(), "good") == {}


def test_its_token_comes_from_the_environment_and_is_told_nowhere(
    service: Scorer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    service.token = "hush-5f0c1e"
    (tmp_path / "token").write_text("hush-5f0c1e\n")
    monkeypatch.setenv("SENTIMENT_TOKEN_FILE", str(tmp_path / "token"))
    assert scores(asking(), "good") == {"good": "0.2500"}
    monkeypatch.setenv("SENTIMENT_TOKEN", "hush-other")
    asked = asking()
    assert scores(asked, "good") == {}
    assert "refuses access (401); correct the token in SENTIMENT_TOKEN" in str(asked.error)
    assert "hush" not in f"{asked.error} {asked!r} {caplog.text}"


@pytest.mark.parametrize("address", ["", "sentiment:8090", "file:///etc/passwd", "http://me:secret@127.0.0.1:1/score"])
def test_a_wrong_address_is_told_without_its_login(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    monkeypatch.setenv("SENTIMENT_SERVICE", address)
    with pytest.raises(UsageError, match="SENTIMENT_SERVICE is ") as raised:
        scores(asking(), "good")
    assert "secret" not in str(raised.value)


def test_numbers_and_texts_fit_as_clean_would_have_it() -> None:
    share = Column(name="share", type="decimal(5,4)", above=0, description="A share")
    assert [fits(share, text) for text in ("0.5", "0", "1e-4", "0.00001", "")] == [True, False, True, False, False]
    kind = Column(name="kind", type="string", values=("a",), description="A kind")
    assert [fits(kind, text) for text in ("a", "b")] == [True, False]
    assert fits(Column(name="x", type="double", description="A number"), "0.1234567")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"sends": ("txt",)}, "names .'txt'."),
        ({"fills": ("text",)}, "can't be required=True"),
        ({"fills": ("score",)}, "must win over the same one without"),
        ({"attempts": 0}, "attempts 0 is not allowed"),
        ({"service": "the service"}, "service 'the service' is not allowed"),
    ],
)
def test_a_wrong_declaration_says_what_to_change(
    monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any], words: str
) -> None:
    fine = {"service": "sentiment", "sends": ("text",), "fills": ("score", "score_model")}
    with pytest.raises(ContractDeclarationError, match=words):
        monkeypatch.setattr("jobs.datasets.mentions.scoring.SCORING", Scoring(**{**fine, **changes}))
        required_scoring(MENTIONS)


def test_a_dataset_without_scores_says_so() -> None:
    with pytest.raises(UsageError, match="transactions declares no scores"):
        required_scoring(datasets.load("transactions"))
