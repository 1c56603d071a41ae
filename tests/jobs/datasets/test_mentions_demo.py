"""What the demo is made of: the service with a lexicon, and the mentions that it scores."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from common.contracts import datasets
from common.contracts.scoring import required_scoring
from common.days import from_text
from common.scoring.service import ScoringService
from jobs.datasets.mentions.lexicon_service import answer, lexicon, server
from jobs.datasets.mentions.sample import mentions_of

MENTIONS = datasets.load("mentions")
NOON = from_text("2026-01-05T12")


@pytest.fixture
def address(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    serving = server(0, lambda text: f"{len(text) / 1000:.4f}")
    threading.Thread(target=serving.serve_forever, args=(0.02,), daemon=True).start()
    monkeypatch.setenv("SENTIMENT_SERVICE", f"http://127.0.0.1:{serving.server_port}/score")
    yield f"http://127.0.0.1:{serving.server_port}/score"
    serving.shutdown()
    serving.server_close()


def test_the_service_answers_what_the_job_expects(address: str) -> None:
    said = mentions_of(NOON)
    service = ScoringService(required_scoring(MENTIONS), MENTIONS.contract)
    scored = list(service.scored(said))
    assert [one["score"] for one in scored] == [f"{len(str(one['text'])) / 1000:.4f}" for one in said]
    assert service.error is None


@pytest.mark.parametrize("body", [b"", b"[", b"[]", b'{"records": 1}', b'{"records": [{}]}'])
def test_the_service_refuses_what_it_cannot_read(body: bytes) -> None:
    assert answer(body, lambda text: "0")[0] == 422


def test_the_lexicon_tells_praise_from_anger() -> None:
    pytest.importorskip("vaderSentiment")
    score = lexicon()
    assert float(score("Great, I love it!")) > 0.5 > -0.5 > float(score("Terrible, I hate it."))


def test_an_hour_of_mentions_is_the_same_each_time() -> None:
    assert mentions_of(NOON) == mentions_of(NOON) != mentions_of(from_text("2026-01-05T13"))
    names = [mention["mention_id"] for mention in mentions_of(NOON)]
    assert len(names) == len({*names}) > 20


def test_people_who_are_angry_write_more() -> None:
    calm, angry = mentions_of(NOON), mentions_of(NOON, outrage="toaster duo")
    of_toaster = [sum(each["product"] == "toaster duo" for each in said) for said in (calm, angry)]
    assert of_toaster[1] > 3 * of_toaster[0]
