"""A session of a Spark Connect server, such as the one of `make warm`: its address, its token, and what its errors mean."""

from __future__ import annotations

import os
import socket
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from common.errors import ClusterUnavailableError, PipelineError, UsageError
from common.runtime.session_kind import REMOTE, is_remote
from common.runtime.settings import Settings

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

# Spark's own variable, of the server and of its clients.
TOKEN = "SPARK_CONNECT_AUTHENTICATE_TOKEN"  # noqa: S105
THIS_MACHINE = ("localhost", "127.0.0.1")
CONNECT_SECONDS = 5.0
# The other options belong to the server; Spark takes them from its own.
OF_A_SESSION = ("spark.sql.", "spark.databricks.", "spark.delta.")
# How Spark and gRPC name a server that is gone, or that was started anew.
_GONE = ("StatusCode.UNAVAILABLE", "INVALID_HANDLE.SESSION", "INVALID_HANDLE.OPERATION", "failed to connect to all")
_opened: list[Any] = []


def open_remote(settings: Settings, options: Mapping[str, Any]) -> SparkSession:
    """A new session, whatever others this process has."""
    # PySpark's functions look at this one.
    os.environ["SPARK_CONNECT_MODE_ENABLED"] = "1"
    from pyspark.sql.connect.client.retries import DefaultPolicy
    from pyspark.sql.connect.session import SparkSession as RemoteSession

    channel = _channel(settings)
    _require_reachable(channel.host.strip("[]"), channel._port)
    warnings.filterwarnings("ignore", message="Failed to set ")  # those that only the server's start can set
    own = {name: value for name, value in options.items() if name.startswith(OF_A_SESSION)}
    builder = RemoteSession.builder.channelBuilder(channel).config(map=own)
    with explaining_server():
        session = builder.create()
        _require_delta(session)
    # Five seconds: by default, ten minutes go by before a server counts as gone.
    session.client.set_retry_policies([DefaultPolicy(max_retries=5, max_backoff=2_000)])
    _opened.append(session)
    return session  # type: ignore[return-value]


def close_all() -> None:
    """Let the server forget what this process has computed there, and end what still runs."""
    while _opened:
        with suppress(Exception):  # it may be gone
            _opened.pop().stop()


def _channel(settings: Settings) -> Any:
    from pyspark.errors import PySparkValueError
    from pyspark.sql.connect.client import DefaultChannelBuilder

    # gRPC takes a token over a plain connection only to this name.
    address = os.environ[REMOTE].replace("//127.0.0.1", "//localhost", 1)
    try:
        channel = DefaultChannelBuilder(address)
    except (PySparkValueError, ValueError):
        # Not shown: it may hold a token.
        raise UsageError(
            f"{REMOTE} is not the address of a Spark Connect server, such as sc://localhost:15002"
        ) from None
    if channel.token is None and channel.host in THIS_MACHINE and (token := _token(settings)):
        channel.set(channel.PARAM_TOKEN, token)
    return channel


def token_file(settings: Settings) -> Path | None:
    """Where the server of this machine leaves its token, for its own user alone."""
    return Path(settings.warm.folder) / "token" if settings.warm else None


def _token(settings: Settings) -> str:
    file = token_file(settings)
    try:
        return file.read_text().strip() if file else ""
    except OSError:
        return ""


def _require_reachable(host: str, port: int) -> None:
    """Raise unless a server answers; gRPC itself would retry for minutes."""
    try:
        socket.create_connection((host, port), CONNECT_SECONDS).close()
    except OSError:
        raise _gone(f"no Spark Connect server answers at {host}:{port}") from None


def _require_delta(session: Any) -> None:
    from pyspark import __version__ as ours

    extensions = session.conf.get("spark.sql.extensions", "") or ""
    if "DeltaSparkSessionExtension" not in extensions or session.version != ours:
        raise UsageError(
            f"the Spark Connect server at {REMOTE} is Spark {session.version} with the extensions {extensions or 'none'}; "
            f"expected Spark {ours} with Delta's: start it with `make warm`"
        )


@contextmanager
def explaining_server() -> Iterator[None]:
    """Turn the pages that gRPC prints when the server is gone, or refuses the token, into one error that says what to do."""
    try:
        yield
    except PipelineError:
        raise
    except Exception as error:
        if not is_remote() or not (explained := _explained(f"{type(error).__name__}: {error!r} {error}")):
            raise
        for note in getattr(error, "__notes__", []):
            explained.add_note(note)
        raise explained from error


def _explained(message: str) -> PipelineError | None:
    if "UNAUTHENTICATED" in message:
        return UsageError(
            f"the Spark Connect server at {REMOTE} refuses the token; expected the one of its start. `make warm` keeps it in "
            f"warm.folder of conf/<env>.yml; of another server, put it into {TOKEN}. Nothing was touched"
        )
    if any(sign in message for sign in _GONE):
        return _gone(
            "the Spark Connect server stopped answering, or was started anew; what was committed before is safe"
        )
    return None


def _gone(what: str) -> ClusterUnavailableError:
    return ClusterUnavailableError(
        f"{what}. Start it with `make warm`, or unset {REMOTE} to run with a Spark of its own; then run the same command again"
    )
