"""Write the JSON Schemas of conf/<env>.yml and schedule.yml, so that editors complete and check: `python -m dags.schemas`."""

from __future__ import annotations

import json
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from common.runtime.settings import CONF, Settings
from dags.alerts import Receivers
from dags.schedule import Daily, Timed, Training

FOLDER = CONF / "schemas"
DIALECT = {"$schema": "https://json-schema.org/draft/2020-12/schema"}


def environment() -> dict[str, Any]:
    """Of conf/<env>.yml; `env` is the file's own name."""
    schema = Settings.model_json_schema()
    del schema["properties"]["env"]
    schema["required"].remove("env")
    return {**DIALECT, **schema, "title": "Settings of an environment"}


def schedule() -> dict[str, Any]:
    """Of schedule.yml: each part may leave out what it inherits, and may be empty."""
    models: list[type[BaseModel]] = [Timed, Daily, Training, Receivers]
    _, shared = models_json_schema([(model, "validation") for model in models])
    for model in models:
        shared["$defs"][model.__name__].pop("required", None)
        shared["$defs"][model.__name__]["type"] = ["object", "null"]
    parts = {
        "all": _of(Timed),
        "daily": _of(Daily),
        "datasets": _by_name(_of(Daily)),
        "training_sets": _by_name(_of(Training)),
        "maintenance": _of(Timed),
        "alerts": _of(Receivers),
    }
    over = {"type": ["object", "null"], "properties": parts, "additionalProperties": False}
    properties = {**parts, "environments": _by_name(over)}
    return {**DIALECT, "title": "When Airflow runs what", **over, "properties": properties, "$defs": shared["$defs"]}


def _of(model: type[BaseModel]) -> dict[str, Any]:
    return {"$ref": f"#/$defs/{model.__name__}"}


def _by_name(schema: dict[str, Any]) -> dict[str, Any]:
    return {"type": ["object", "null"], "additionalProperties": schema}


def texts() -> dict[str, str]:
    """The files' contents by name."""
    schemas = {"environment.json": environment(), "schedule.json": schedule()}
    return {name: json.dumps(schema, indent=2, ensure_ascii=False) + "\n" for name, schema in schemas.items()}


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    for name, text in texts().items():
        (FOLDER / name).write_text(text, encoding="utf-8")
        print(FOLDER / name)


if __name__ == "__main__":
    main()
