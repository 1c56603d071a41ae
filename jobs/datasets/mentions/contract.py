"""What people say of our products in public, one event each; a mention comes again once it has a score."""

import os

from common.contracts.aggregates import Count, FeatureRatio, Mean, Share, Sum
from common.contracts.contract import Column, Contract, Feature, Features, Files
from common.contracts.expectations import Freshness, Severity, Volume
from common.sources.kafka.topic import Kafka

HOURS_A_DAY, HOURS_A_WEEK = 24, 168
TOPIC = Kafka(cluster="social", topic="mentions", on_empty="accept")
# Where no cluster is named, mentions are files of the landing folder.
NAMED = {"SOCIAL_KAFKA", "SOCIAL_KAFKA_FILE"} & {*os.environ}

CONTRACT = Contract(
    name="mentions",
    description="Public mentions of our products, and how they sound.",
    owner="brand team",
    tags=("social", "events"),
    source=TOPIC if NAMED else Files(),
    every="hour",
    columns=(
        Column(name="mention_id", type="string", required=True, description="The network's id of the mention"),
        Column(name="product", type="string", required=True, lower=True, description="What is spoken of"),
        Column(name="author", type="string", sensitive=True, description="Who wrote it"),
        Column(name="text", type="string", required=True, sensitive=True, description="What was written"),
        Column(name="posted_at", type="timestamp", required=True, description="When it was posted"),
        Column(name="edit", type="int", minimum=0, required=True, description="How often it was edited since"),
        Column(
            name="score",
            type="decimal(5,4)",
            minimum=-1,
            maximum=1,
            description="How it sounds, from -1 to 1; missing while the score is pending",
        ),
        Column(name="score_model", type="int", minimum=1, description="The model that gave the score"),
    ),
    key=("mention_id",),
    event_time="posted_at",
    # A score may come as late as the longest window can still use it.
    lateness_hours=HOURS_A_WEEK,
    # An edited text needs a score of its own; a newer model's score replaces an older one's, and any score a missing one.
    winner=("edit", "score_model"),
    duplicate_share=1,
    freshness=Freshness(hours=6, severity=Severity.WARN),
    volume=Volume(severity=Severity.WARN),
    drift=None,
    features=Features(
        version=1,
        entity="product",
        measures=(
            Column(name="negative", type="boolean", description="Sounds negative; missing while the score is pending"),
            Column(name="pending", type="int", description="1 while the score is pending"),
        ),
        columns=(
            Feature("mentions_1h", Count(1)),
            Feature("mentions_24h", Count(HOURS_A_DAY)),
            Feature("mentions_7d", Count(HOURS_A_WEEK)),
            Feature("sentiment_1h", Mean(1, "score")),
            Feature("sentiment_24h", Mean(HOURS_A_DAY, "score")),
            Feature("sentiment_7d", Mean(HOURS_A_WEEK, "score")),
            Feature("negative_share_1h", Share(1, "negative", of="known")),
            Feature("negative_share_24h", Share(HOURS_A_DAY, "negative", of="known")),
            Feature("negative_share_7d", Share(HOURS_A_WEEK, "negative", of="known")),
            Feature("mentions_1h_day_before", Count(1, ago=HOURS_A_DAY)),
            Feature("spike_1h", FeatureRatio("mentions_1h", "mentions_1h_day_before")),
            Feature("pending_7d", Sum(HOURS_A_WEEK, "pending")),
        ),
    ),
)
