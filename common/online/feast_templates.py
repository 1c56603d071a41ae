"""What the files of a Feast repository look like."""

MADE = "Made by `python -m common.online.feast_repo` from the contracts: make it anew rather than change it."

SETTINGS = """\
# {made}
project: feature_pipeline
provider: local
registry: registry.db
entity_key_serialization_version: 3
offline_store:
  # Not dask: it loses the rows that are asked for before anything is known of their entity.
  type: duckdb
online_store:
  type: pipeline_online.PipelineOnlineStore
  address: {address}
"""

DEFINITIONS = '''\
"""Entities and feature views of the pipeline.

{made}
"""

from datetime import timedelta
from pathlib import Path

from feast import Entity, FeatureView, Field, FileSource, ValueType
from feast.data_format import ParquetFormat
from feast.types import {types}

DATA = Path(__file__).resolve().parent / "data"

{parts}
'''

ENTITY = """\
{variable} = Entity(
    name={name},
    join_keys=[{key}],
    value_type=ValueType.{type},
    description={description},
)
"""

FIELD = """\
        Field(name="{name}", dtype={type}, description={description}),
"""

VIEW = """\
{view} = FeatureView(
    name="{view}",
    description={description},
    entities=[{entity}],
    # The latest row of an entity counts however old it is. Online it is there only if its entity had one in the last
    # {days} published days: a load reads no more.
    ttl=timedelta(0),
    schema=[
{fields}    ],
    source=FileSource(
        name="{view}",
        path=str(DATA / "{view}"),
        file_format=ParquetFormat(),
        timestamp_field="{known_at}",
    ),
)
"""

STORE = '''\
"""Feast's way into the pipeline's own online store, to read it.

{made}
The pipeline's folder has to be on PYTHONPATH, and this one.
"""

from datetime import date, datetime, time, timedelta, timezone

from feast.infra.online_stores.online_store import OnlineStore
from feast.repo_config import FeastConfigBaseModel
from feast.type_map import feast_value_type_to_python_type, python_values_to_proto_values

from common.online import open_store


class PipelineOnlineStoreConfig(FeastConfigBaseModel):
    type: str = "pipeline_online.PipelineOnlineStore"
    address: str


class PipelineOnlineStore(OnlineStore):
    _store = None

    def online_read(self, config, table, entity_keys, requested_features=None):
        if self._store is None:
            self._store = open_store(config.online_store.address)
        return [self._read(table, key, requested_features) for key in entity_keys]

    def _read(self, table, key, requested):
        row = self._store.get(table.name, feast_value_type_to_python_type(key.entity_values[0]))
        if row is None:
            return None, None
        known_at = _midnight(row["ds"] + timedelta(days=1))
        fields = [each for each in table.features if requested is None or each.name in requested]
        return known_at, {{each.name: _value(row[each.name], each.dtype.to_value_type()) for each in fields}}

    def online_write_batch(self, config, table, data, progress):
        raise NotImplementedError("The pipeline loads its online store itself: there is nothing to materialize.")

    def update(self, config, tables_to_delete, tables_to_keep, entities_to_delete, entities_to_keep, partial):
        """The views are the pipeline's: Feast makes none and removes none."""

    def teardown(self, config, tables, entities):
        """As above."""


def _midnight(day):
    return datetime.combine(day, time(), timezone.utc)


def _value(value, type_):
    if isinstance(value, date) and not isinstance(value, datetime):
        value = _midnight(value)
    return python_values_to_proto_values([value], type_)[0]
'''
