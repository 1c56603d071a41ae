"""Mentions as landing files or messages, and the loop that takes them and gets their scores."""

from __future__ import annotations

import json
from typing import Any

from common.orchestration.chain import run_chain
from common.orchestration.job import Line
from jobs.backfill import CHAIN
from jobs.scores import SCORES
from tests.support.play_lake import PlayLake


def mention(name: str, at: str, text: str, **fields: Any) -> dict[str, Any]:
    usual = {"product": "kettle", "author": "ann", "edit": "0", "score": None, "score_model": None}
    return {"mention_id": name, "posted_at": at, "text": text, **usual, **fields}


def land(lake: PlayLake, ds: str, *mentions: dict[str, Any], name: str = "mentions.jsonl") -> None:
    lake.land_bytes(ds, "".join(json.dumps(each) + "\n" for each in mentions).encode(), name)


def hour(lake: PlayLake, *hours: str) -> list[Line]:
    return run_chain(CHAIN, [lake.plan("backfill", ds, code="the same") for ds in hours])


def score(lake: PlayLake, ds: str) -> Line:
    return lake.run(SCORES, ds)
