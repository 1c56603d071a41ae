"""Where an S3 object store is and how we log in, read from the environment in one place for Spark, Arrow and deltalake.

Keys never pass through here to Spark: its own reader takes them from the environment, so no plan or page shows them.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from common.errors import UsageError

if TYPE_CHECKING:
    from obstore.store import S3Store
    from pyarrow.fs import S3FileSystem

SCHEME = "s3://"
ENDPOINTS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")
REGIONS = ("AWS_REGION", "AWS_DEFAULT_REGION")
WHAT_TO_SET = (
    "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (with AWS_SESSION_TOKEN if they are temporary), AWS_REGION, and "
    "AWS_ENDPOINT_URL unless it is AWS"
)
CONNECT_SECONDS = 5
# Timeout of one request; a data file is read and written in parts.
REQUEST_SECONDS = 30
ATTEMPTS = 3
# A folder without objects.
NOWHERE = "_asked-for-to-see-who-answers"
LOG_STORE = "pipeline.ConditionalS3LogStore"
# The words of Arrow, object_store and Hadoop.
_REFUSALS = (
    *("ACCESS_DENIED", "SIGNATURE_DOES_NOT_MATCH", "INVALID_ACCESS_KEY_ID", "INVALID_CLIENT_TOKEN_ID", "EXPIRED_TOKEN"),
    *("HTTP status 400", "HTTP status 401", "HTTP status 403", "XAdminUserNotFound", "No user exists"),
    *("403 Forbidden", "401 Unauthorized", "Status Code: 403", "Status Code: 401"),
)
FILE_SYSTEM = "org.apache.hadoop.fs.s3a.S3AFileSystem"


def canonical(uri: str) -> str:
    """One spelling for all programs: s3a:// is Hadoop's name for s3://."""
    return f"{SCHEME}{uri.removeprefix('s3a://')}" if uri.startswith("s3a://") else uri


def is_object_store(uri: str) -> bool:
    return canonical(uri).startswith(SCHEME)


@dataclass(frozen=True)
class ObjectStore:
    """What the environment says about the store; the libraries read the keys themselves."""

    endpoint: str  # empty for AWS itself
    region: str

    @property
    def path_style(self) -> bool:
        """Other stores rarely have a host name for each bucket."""
        return bool(self.endpoint) and os.environ.get("AWS_VIRTUAL_HOSTED_STYLE_REQUEST", "").lower() != "true"

    @property
    def plain_http(self) -> bool:
        return self.endpoint.startswith("http://")


def declared() -> ObjectStore:
    endpoint, region = _first(ENDPOINTS).rstrip("/"), _first(REGIONS)
    parts = urlsplit(endpoint)
    if endpoint and (parts.scheme not in ("http", "https") or not parts.hostname):
        raise UsageError(f"{ENDPOINTS[1]} is {endpoint!r}; expected an address such as http://127.0.0.1:9000")
    if parts.username or parts.password:
        raise UsageError(
            f"{ENDPOINTS[1]} holds a user or a password; expected them in {WHAT_TO_SET.partition(' (')[0]}"
        )
    # Other stores ignore the region, but no library signs a request without one.
    return ObjectStore(endpoint, region or ("us-east-1" if endpoint else ""))


def _first(names: tuple[str, ...]) -> str:
    return next((value for name in names if (value := os.environ.get(name, "").strip())), "")


def arrow_file_system() -> S3FileSystem:
    """Arrow's view of the store, made once for each state of the environment."""
    return _arrow(declared(), _identity())


@lru_cache(maxsize=4)
def _arrow(store: ObjectStore, _identity: int) -> S3FileSystem:
    return _s3_file_system(store, CONNECT_SECONDS, REQUEST_SECONDS, ATTEMPTS)


def _s3_file_system(store: ObjectStore, connect: float, request: float, attempts: int) -> S3FileSystem:
    from pyarrow.fs import AwsStandardS3RetryStrategy, S3FileSystem

    return S3FileSystem(
        region=store.region or None,
        endpoint_override=store.endpoint.partition("://")[2] or None,
        scheme="http" if store.plain_http else "https",
        force_virtual_addressing=bool(store.endpoint) and not store.path_style,
        connect_timeout=connect,
        request_timeout=request,
        retry_strategy=AwsStandardS3RetryStrategy(max_attempts=attempts),
        # A small file is one request.
        allow_delayed_open=True,
    )


def _identity() -> int:
    return hash(
        tuple(os.environ.get(name) for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"))
    )


def delta_options(uri: str) -> dict[str, str] | None:
    """For deltalake, which takes the keys from the environment itself; None for a table elsewhere."""
    if not is_object_store(uri):
        return None
    store = declared()
    options = {
        "allow_http": str(store.plain_http).lower(),
        "conditional_put": "etag",
        "connect_timeout": f"{CONNECT_SECONDS}s",
        "timeout": f"{REQUEST_SECONDS}s",
        "max_retries": str(ATTEMPTS - 1),
        "virtual_hosted_style_request": str(not store.path_style).lower(),
    }
    named = {"endpoint": store.endpoint, "region": store.region}
    return options | {name: value for name, value in named.items() if value}


def obstore_of(bucket: str) -> S3Store:
    """The same store for requests of one object; it takes the keys from the environment itself."""
    return _obstore(bucket, declared(), _identity())


@lru_cache(maxsize=4)
def _obstore(bucket: str, store: ObjectStore, _identity: int) -> S3Store:
    from obstore.store import S3Store

    named = {"endpoint": store.endpoint, "region": store.region}
    config = {"virtual_hosted_style_request": str(not store.path_style).lower()}
    return S3Store(
        bucket,
        config={**config, **{name: value for name, value in named.items() if value}},  # type: ignore[arg-type]
        client_options={
            "allow_http": store.plain_http,
            "connect_timeout": f"{CONNECT_SECONDS}s",
            "timeout": f"{REQUEST_SECONDS}s",
        },
        retry_config={"max_retries": ATTEMPTS - 1},
    )


def spark_options(*uris: str) -> dict[str, str]:
    """For a Spark session that reads or writes there; none if all is elsewhere."""
    if not any(map(is_object_store, uris)):
        return {}
    require_jars()
    store = declared()
    options = {
        "impl": FILE_SYSTEM,
        "path.style.access": str(store.path_style).lower(),
        "connection.ssl.enabled": str(not store.plain_http).lower(),
        "connection.establish.timeout": f"{CONNECT_SECONDS}s",
        "connection.timeout": f"{REQUEST_SECONDS}s",
        "attempts.maximum": str(ATTEMPTS),
        # Again after those of the SDK.
        "retry.limit": "1",
    }
    named = {"endpoint": store.endpoint, "endpoint.region": store.region}
    options |= {name: value for name, value in named.items() if value}
    hadoop = {f"spark.hadoop.fs.s3a.{name}": value for name, value in options.items()}
    return {**hadoop, "spark.hadoop.fs.s3.impl": FILE_SYSTEM, "spark.delta.logStore.s3.impl": LOG_STORE}


def require_jars() -> None:
    """Raise unless set-up has added Hadoop's S3 file system and our log store to Spark."""
    import pyspark

    jars = Path(str(pyspark.__file__)).parent / "jars"
    if not any(jars.glob("hadoop-aws-*.jar")) or not any(jars.glob("pipeline-s3-*.jar")):
        raise UsageError("this Spark can't reach an object store; run `make setup-s3` once, then run again")


def require_bucket(uri: str, seconds: float) -> None:
    """Raise UsageError unless the bucket exists and accepts our credentials; OSError if no store answers in time."""
    from pyarrow.fs import FileSelector

    store, place = declared(), canonical(uri).removeprefix(SCHEME).rstrip("/")
    bucket = place.partition("/")[0]
    # One attempt, because each may take the whole time limit; within the folder, because the keys may give access to no other.
    system = _s3_file_system(store, seconds, seconds, 1)
    try:
        system.get_file_info(FileSelector(f"{place}/{NOWHERE}"))
    except FileNotFoundError:
        return
    except OSError as error:
        at = store.endpoint or "AWS"
        if "NO_SUCH_BUCKET" in str(error):
            raise UsageError(f"there is no bucket {bucket} at {at}; create it, or name another") from None
        if not is_refusal(str(error)):
            raise
        raise UsageError(
            f"{at} refused to list {uri}: {_reason(error)}. Nothing was changed. Set {WHAT_TO_SET}, to credentials that may "
            "list, read and write there"
        ) from None


def is_refusal(message: str) -> bool:
    """Whether the store answered, and rejected our credentials."""
    return any(sign in message for sign in _REFUSALS)


def _reason(error: OSError) -> str:
    return str(error).partition("AWS Error ")[2].partition(" during ")[0] or str(error)
