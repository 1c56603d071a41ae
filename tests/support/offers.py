"""A small training set of labels, and a file of them written as a text table."""

from datetime import date

from common.training.training_set import From, Labels, Split, TrainingSet
from tests.support.play_lake import PlayLake
from tests.support.tables_as_text import cells

OFFERS = TrainingSet(
    name="offers",
    description="Who takes an offer.",
    examples=Labels(entity="customer_id", time="asked_at", label="bought"),
    split=Split(train_until=date(2026, 1, 31), val_until=date(2026, 2, 28)),
    features=(From(table="churn@v1", columns=("tenure_days",)),),
)


def labels(lake: PlayLake, text: str) -> str:
    place = lake.root / "labels.csv"
    place.write_text("\n".join(",".join(row) for row in cells(text)) + "\n")
    return str(place)
