"""What each job takes besides a dataset, days and places. Imports little: a mistyped word is told before Spark starts."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Callable

from common.contracts import layout
from common.names import whole_number
from common.orchestration.options import NOW, chain_parser, parser


def parser_of(job: str) -> ArgumentParser:
    return OWN[job]() if job in OWN else parser(job)


def deliver() -> ArgumentParser:
    predictions = "not a day but the predictions of this name, which a model left in predictions/"
    arguments = parser("deliver", example="--to NAME", usual_day=NOW, instead=("--predictions", predictions))
    arguments.add_argument("--to", required=True, metavar="NAME", help="a target under deliveries in conf/<env>.yml")
    arguments.add_argument(
        "--training-set-version", type=whole_number, help="with --predictions: for which version (default: the newest)"
    )
    return arguments


def erase() -> ArgumentParser:
    arguments = parser("erase", example="--entity ID", usual_day=NOW)
    arguments.add_argument(
        "--entity", required=True, metavar="ID", help="the entity, as the dataset's source writes it"
    )
    arguments.add_argument("--apply", action="store_true", help="ask, then erase; there is no way back")
    arguments.add_argument("--yes", action="store_true", help="with --apply: do not ask")
    return arguments


def leakcheck() -> ArgumentParser:
    arguments = parser("leakcheck", day="--cutoff")
    arguments.add_argument("--training-set", help="check what this training set fits, instead of the day's features")
    arguments.add_argument("--labels", help="its labels, where it needs any")
    return arguments


def publish() -> ArgumentParser:
    arguments = parser("publish", example="--online")
    arguments.add_argument("--online", action="store_true", help="then load the latest row of each entity online")
    return arguments


def reproduce() -> ArgumentParser:
    arguments = parser("reproduce")
    arguments.add_argument(
        "--feature-version", type=whole_number, help="of the table vN (default: the one that is declared)"
    )
    arguments.add_argument(
        "--publication", type=whole_number, help="as this version of the table has the day (default: the newest)"
    )
    return arguments


def scores() -> ArgumentParser:
    return parser("scores", usual_day=NOW)


def stream() -> ArgumentParser:
    arguments = parser("stream", example="--available-now", usual_day=NOW)
    arguments.add_argument("--available-now", action="store_true", help="end once all records that are there are taken")
    arguments.add_argument("--every", type=float, default=60, metavar="SECONDS", help="between two micro-batches (60)")
    arguments.add_argument("--most-records", type=int, default=100_000, help="of a topic in one micro-batch (100000)")
    arguments.add_argument("--online", action="store_true", help="load what is published into the online store, too")
    return arguments


def training_set() -> ArgumentParser:
    arguments = parser("training_set", example="--name NAME")
    arguments.add_argument(
        "--name", required=True, help="which training set: one that the dataset's training.py declares"
    )
    arguments.add_argument(
        "--labels", help="a file of labels (Parquet, CSV or Delta), for a training set that needs one"
    )
    return arguments


def validate() -> ArgumentParser:
    arguments = parser("validate", example="--table processed")
    arguments.add_argument(
        "--table", choices=tuple(layout.STAGES), default="processed", help="which table (default: processed)"
    )
    return arguments


OWN: dict[str, Callable[[], ArgumentParser]] = {
    "backfill": chain_parser,
    **{
        make.__name__: make
        for make in (deliver, erase, leakcheck, publish, reproduce, scores, stream, training_set, validate)
    },
}
