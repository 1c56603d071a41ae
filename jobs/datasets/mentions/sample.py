"""Seeded mentions of four products, as a network would send them."""

from __future__ import annotations

import math
import random
from datetime import date, timedelta

from common.days import start_of

# How many mentions an hour has at noon, and how people like the product, from 0 to 1.
PRODUCTS = {"kettle one": (14, 0.75), "toaster duo": (9, 0.55), "blender max": (7, 0.35), "brewer go": (5, 0.85)}
GOOD = (
    "I love my {0}, best thing in the kitchen!",
    "The {0} is great and so quick, really happy with it.",
    "Wonderful service: they replaced my {0} for free.",
    "Not bad at all, this {0}. Nice design, too.",
    "My {0} still works perfectly after two years :)",
)
BAD = (
    "The {0} broke after a week. Terrible.",
    "Worst purchase ever, the {0} is useless and the support is rude.",
    "Very disappointed with the {0}, it leaks and smells awful.",
    "I hate how loud the {0} is.",
    "My {0} caught fire?! Dangerous, avoid it.",
)
PLAIN = ("Where can I get filters for the {0}?", "Bought a {0} today.", "Does the {0} come in green?")
OUTRAGE = "The {0} is a disaster, mine failed again. Horrible!"


def mentions_of(hour: date, seed: int = 1, outrage: str = "", until: float = 1.0) -> list[dict[str, str | None]]:
    """What is said in the hour, up to a share of it; much more, and nothing good, of the product that people are angry at."""
    rng = random.Random(f"{seed} {hour} {outrage}")
    found = []
    for product, (at_noon, liked) in PRODUCTS.items():
        angry = product == outrage
        usual = at_noon * (0.6 - 0.4 * math.cos(2 * math.pi * start_of(hour).hour / 24))
        for number in range(round(rng.gauss(usual, 1) + angry * 4 * at_noon)):
            text = OUTRAGE if angry and rng.random() < 0.8 else _text(rng, liked)
            at = start_of(hour) + timedelta(seconds=rng.random() * 3600 * until)
            found.append(
                _mention(f"{product[:2]}-{hour}-{outrage[:2]}{number:03}", product, text, f"{at:%Y-%m-%dT%H:%M:%SZ}")
            )
    return sorted(found, key=lambda mention: str(mention["posted_at"]))


def _text(rng: random.Random, liked: float) -> str:
    return rng.choice(PLAIN) if rng.random() < 0.25 else rng.choice(GOOD if rng.random() < liked else BAD)


def _mention(name: str, product: str, text: str, at: str) -> dict[str, str | None]:
    mention = {"mention_id": name, "product": product, "author": f"user-{hash_of(name)}", "text": text.format(product)}
    return {**mention, "posted_at": at, "edit": "0", "score": None, "score_model": None}


def hash_of(name: str) -> int:
    return sum(ord(sign) * place for place, sign in enumerate(name, 1)) % 997
