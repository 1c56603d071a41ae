"""The service that says how a text sounds."""

from common.contracts.scoring import Scoring

SCORING = Scoring(service="sentiment", sends=("text",), fills=("score", "score_model"))
