"""Settings of an environment: conf/<env>.yml, overridden by environment variables, then by flags."""

from __future__ import annotations

import os
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
    YamlConfigSettingsSource,
)

from common.errors import UsageError
from common.runtime.environments import CONF, ROOT, environments, require_environment
from common.runtime.locations import resolve

__all__ = ["CONF", "ROOT", "Delivery", "Settings", "Standalone", "Telemetry", "Warm", "environments", "load_settings"]

# What a person can mean; beyond it, times overflow.
DAY_SECONDS, LONGEST_DAYS = 86_400, 36_500


class Standalone(BaseModel):
    """The Spark cluster that `make cluster` starts on this machine; its master's address is spark.master."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    folder: str = Field(description="Where its logs, process ids and scratch files are")
    ui_port: int = Field(ge=1, le=65535, description="Port of the master's web page, on 127.0.0.1")
    workers: int = Field(ge=1)
    cores: int = Field(ge=1, description="Of each worker")
    memory: str = Field(pattern=r"^[1-9]\d*[mg]$", description="Of each worker")


class Warm(BaseModel):
    """The Spark Connect server that `make warm` starts on this machine, for SPARK_REMOTE=sc://localhost:<port>."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    folder: str = Field(description="Where its log, process id and scratch files are, and its token, for you alone")
    port: int = Field(ge=1, le=65535, description="On 127.0.0.1")


def _address(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("it is not an http or https address")
    if parts.username or parts.password:
        raise ValueError("it holds a user or a password; pass a secret in the environment instead")
    return text.rstrip("/")


Address = Annotated[str, AfterValidator(_address)]


class Telemetry(BaseModel):
    """Where the numbers and the lineage of each run go. The files are always written; receivers only if named."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    metrics: str | None = Field(default=None, description="Folder of the metrics' files; null: metrics/ in the lake")
    namespace: str = Field(
        default="feature-pipeline", min_length=1, description="Namespace of the jobs in lineage events"
    )
    pushgateway: Address | None = Field(default=None, description="Address of a Prometheus Pushgateway")
    otlp: Address | None = Field(default=None, description="Address of an OTLP receiver; /v1/metrics is added")
    openlineage: Address | None = Field(
        default=None,
        description="Address of an OpenLineage receiver; /api/v1/lineage is added, OPENLINEAGE_API_KEY sent",
    )


class Delivery(BaseModel):
    """A place outside of the lake that published days are delivered to."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    kind: Literal["postgresql", "parquet", "csv"] = Field(
        description="A database, whose address is in the environment as <NAME>_DATABASE (or <NAME>_DATABASE_FILE), or files"
    )
    path: str = Field(default="", description="Folder of the files, relative to the project's folder")
    schema_name: str = Field(
        default="public", min_length=1, alias="schema", description="Schema of the database's tables"
    )
    keep_formulas: bool = Field(
        default=False, description="Of csv: leave text that a spreadsheet would run; otherwise it gets a ' in front"
    )
    seconds: int = Field(
        default=300,
        gt=0,
        le=DAY_SECONDS,
        description="How long one statement of the database may take; one that is silent for 5 s more is given up",
    )

    @model_validator(mode="after")
    def _has_a_place(self) -> Self:
        if (self.kind == "postgresql") == bool(self.path):
            raise ValueError("path is needed for parquet and csv, and for them alone")
        return self


class Settings(BaseSettings):
    model_config = SettingsConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    env: str
    lake: str = Field(description="Where the tables are: a path (relative to the project's folder) or a URI")
    landing: str = Field(description="Where the sources leave their files")
    online: str = Field(repr=False, description="The online store: sqlite:///path, redis://… or postgresql://…")
    lock_wait_seconds: float = Field(
        ge=0, le=DAY_SECONDS, description="How long to wait for another run of the same table and day"
    )
    large_file_mb: int = Field(
        gt=0, le=1_000_000, description="compact packs smaller files than this, up to about this size"
    )
    keep_results_days: int = Field(
        gt=0, le=LONGEST_DAYS, description="How long the log of runs and the verdicts of the gate are kept"
    )
    secret_file: str | None = Field(default=None, description="Holds the secret that a standalone cluster shares")
    standalone: Standalone | None = None
    warm: Warm | None = None
    telemetry: Telemetry = Telemetry()
    deliveries: dict[Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$")], Delivery] = Field(
        default={},
        description="Targets of jobs/deliver.py, by name",
        json_schema_extra={"additionalProperties": False},  # in an editor too, no other names
    )
    spark: dict[str, str | int | bool] = Field(repr=False, description="Spark settings of this environment")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        yaml_file = CONF / f"{init_settings.init_kwargs['env']}.yml"  # type: ignore[attr-defined]
        if isinstance(env_settings, EnvSettingsSource):
            # Left to itself it takes names in any case, and of `LAKE` and `lake` the later one.
            env_settings.env_vars = {name.lower(): value for name, value in os.environ.items() if name.isupper()}
        return init_settings, env_settings, YamlConfigSettingsSource(settings_cls, yaml_file=yaml_file)


def problems(error: ValidationError) -> str:
    """Each wrong field and its problem, without values: one may be a secret."""
    found = error.errors(include_input=False)
    return "; ".join(f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}" for problem in found)


def load_settings(env: str, **flags: str | None) -> Settings:
    require_environment(env)
    overrides: dict[str, Any] = {name: value for name, value in flags.items() if value is not None}
    try:
        settings = Settings(env=env, **overrides)
    except ValidationError as error:
        raise UsageError(f"conf/{env}.yml, the environment or a flag is wrong: {problems(error)}") from None
    except SettingsError as error:
        raise UsageError(f'{error}; expected JSON, such as SPARK=\'{{"spark.master": "local[2]"}}\'') from None
    folders = {name: resolve(name.upper(), getattr(settings, name), ROOT) for name in ("lake", "landing")}
    own = {
        "secret_file": _secret_file(settings),
        "warm": _warm(settings.warm),
        "telemetry": _telemetry(settings.telemetry),
        "deliveries": {name: _delivery(name, target) for name, target in settings.deliveries.items()},
    }
    return settings.model_copy(update={**folders, **own})


def _warm(declared: Warm | None) -> Warm | None:
    return declared and declared.model_copy(update={"folder": resolve("WARM folder", declared.folder, ROOT)})


def _telemetry(declared: Telemetry) -> Telemetry:
    place = declared.metrics
    folder = None if place is None else resolve("TELEMETRY metrics", place, ROOT)
    return declared.model_copy(update={"metrics": folder})


def _delivery(name: str, declared: Delivery) -> Delivery:
    place = declared.path and resolve(f"deliveries {name} path", declared.path, ROOT)
    return declared.model_copy(update={"path": place})


def _secret_file(settings: Settings) -> str | None:
    """Its folder is checked; whether the file can be read is checked where it is needed."""
    if settings.secret_file is None:
        return None
    folder, _, name = settings.secret_file.rpartition("/")
    return f"{resolve('SECRET_FILE', folder or '.', ROOT)}/{name}"
