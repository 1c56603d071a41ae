"""Sends alerts: always a line in a log file, and a webhook or an e-mail where configured.

An alert that cannot be delivered is a warning in the log; it neither fails the run nor makes it wait. Airflow imports this
module too, from an environment that has neither Spark nor Delta.
"""

from __future__ import annotations

import json
import logging
import os
import smtplib
import socket
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime
from functools import partial
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, StrictBool, model_validator

from common.printable import printable
from common.runtime import http_post
from common.runtime.log_lines import append_line
from common.runtime.private_files import keep_private
from dags.chat_text import SWITCHES, Receiver, for_chat

ROOT = Path(__file__).resolve().parent.parent
SECONDS = 5.0  # for all receivers together, which are called in parallel
LONGEST_TEXT = 3000
LONGEST_FIELD = 5000
LONGEST_SUBJECT = 150
WEBHOOK = "ALERT_WEBHOOK"
SMTP_PASSWORD = "ALERT_SMTP_PASSWORD"  # noqa: S105  (the variable's name)
ADDRESS = r"^[^@\s,<>]+@[^@\s,<>]+$"
HERE = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True)
class Alert:
    """One alert; unknown fields are empty."""

    kind: Literal["failed", "late", "warning"]
    dag: str
    task: str
    ds: str
    message: str
    dataset: str = ""
    facts: dict[str, Any] = field(default_factory=dict)  # counts, failed rules
    link: str | None = None

    @property
    def headline(self) -> str:
        about = dict.fromkeys(name for name in (self.dataset or self.dag, self.task, self.ds) if name)
        return printable(_one_line(f"{self.kind}: {' '.join(about)}"))

    @property
    def words(self) -> str:
        """The text of the message."""
        return self.words_for("plain")

    def words_for(self, receiver: Receiver) -> str:
        """The same, escaped for who shows it; only the link is one."""
        facts = [f"{name}: {_text(value)}" for name, value in self.facts.items()]
        text = "\n".join([f"{self.headline}: {self.message}", *facts])
        shown = "\n".join(map(printable, _cut(text, LONGEST_TEXT).splitlines()))
        return "\n".join([for_chat(shown, receiver), *([self.link] if self.link else [])])


class Email(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    to: tuple[str, ...] = Field(min_length=1)
    sender: str = Field(pattern=ADDRESS)
    host: str = Field(min_length=1)
    port: int = Field(default=587, ge=1, le=65535)
    starttls: StrictBool = True
    user: str = Field(default="", description=f"Logs in with the password in {SMTP_PASSWORD}; empty: no login")

    @model_validator(mode="after")
    def _check(self) -> Email:
        for number, address in enumerate(self.to):
            if "," in address or "@" not in address or address.split() != [address]:
                raise ValueError(f"to: entry {number} is not an address; expected one like name@example.org")
        if self.user and not self.starttls and self.host not in HERE:
            raise ValueError(f"user needs starttls: without it, the password would go to {self.host} unencrypted")
        return self


class Receivers(BaseModel):
    """Who gets alerts. Secrets come from the environment only: ALERT_WEBHOOK (an address) and ALERT_SMTP_PASSWORD."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    log: str = Field(default="data/alerts.log", min_length=1, description="A path, relative to the project's folder")
    webhook: StrictBool = Field(default=False, description=f"Whether the address in {WEBHOOK} gets alerts")
    webhook_text: Receiver = Field(
        default="slack",
        description='Who shows them, so that the text is escaped for it: "slack", "markdown" (Teams, Mattermost) or "plain"',
    )
    email: Email | None = None


class _LostError(Exception):
    """Why an alert could not be delivered; the text holds no secret."""


class _Attempt(threading.Thread):
    """Delivers to one receiver in a daemon thread, so a slow one blocks neither the caller nor the process's exit."""

    def __init__(self, name: str, send: Callable[[], None]) -> None:
        super().__init__(daemon=True)
        self.name, self._send = name, send
        self.loss = f"no answer within {SECONDS:g} s"

    def run(self) -> None:
        try:
            self._send()
            self.loss = ""
        except Exception as error:
            self.loss = _reason(error)


def tell(alert: Alert, receivers: Receivers) -> None:
    """Sends to all receivers in parallel. Never raises, and returns within SECONDS."""
    log = logging.getLogger("pipeline")
    try:
        attempts = _attempts(alert, receivers)
        for attempt in attempts:
            attempt.start()
        deadline = time.monotonic() + SECONDS
        for attempt in attempts:
            attempt.join(max(0.0, deadline - time.monotonic()))
            if attempt.loss:
                log.warning("the alert '%s' did not reach the %s: %s", alert.headline, attempt.name, attempt.loss)
    except Exception as error:
        log.warning("an alert could not be delivered: %s", _reason(error))


def _attempts(alert: Alert, receivers: Receivers) -> list[_Attempt]:
    attempts = [_Attempt(f"log {receivers.log}", partial(_write, alert, ROOT / Path(receivers.log).expanduser()))]
    if receivers.webhook:
        attempts.append(_Attempt(f"webhook in {WEBHOOK}", partial(_post, alert, receivers.webhook_text)))
    if receivers.email:
        attempts.append(_Attempt(f"mail server {receivers.email.host}", partial(_mail, alert, receivers.email)))
    return attempts


def _write(alert: Alert, path: Path) -> None:
    line = {"at": datetime.now(UTC).isoformat(timespec="seconds"), **_plain(asdict(alert))}
    path.parent.mkdir(parents=True, exist_ok=True)
    keep_private(path)
    append_line(path, _printable_json(line))


def _post(alert: Alert, receiver: Receiver) -> None:
    shown = {"text": alert.words_for(receiver), **SWITCHES[receiver]}
    content = json.dumps({**shown, **_plain(_shortened(alert))}).encode()
    http_post.send(_address(), content, {"Content-Type": "application/json; charset=utf-8"}, SECONDS)


def _address() -> str:
    url = os.environ.get(WEBHOOK, "").strip()
    if not url:
        raise _LostError(f"the environment has no {WEBHOOK}; set it to the receiver's address")
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise _LostError(f"{WEBHOOK} is not an http or https address")
    return url


def _mail(alert: Alert, email: Email) -> None:
    password = os.environ.get(SMTP_PASSWORD, "")
    if email.user and not password:
        raise _LostError(f"the environment has no {SMTP_PASSWORD}, which the login needs")
    message = EmailMessage()
    message["Subject"] = _cut(printable(_one_line(f"{alert.headline}: {alert.message}")), LONGEST_SUBJECT)
    message["From"], message["To"] = email.sender, ", ".join(email.to)
    message["Date"] = format_datetime(datetime.now(UTC))
    message.set_content(alert.words, cte="quoted-printable")  # some servers accept ASCII only
    # Name the host here: looking up its full name can take longer than the delivery.
    with smtplib.SMTP(email.host, email.port, local_hostname=socket.gethostname(), timeout=SECONDS) as server:
        if email.starttls:
            server.starttls(context=ssl.create_default_context())
        if email.user:
            server.login(email.user, password)
        server.send_message(message)


def _reason(error: Exception) -> str:
    """The type and number of an error: its text may hold the address or the password."""
    if isinstance(error, _LostError):
        return str(error)
    if isinstance(error, smtplib.SMTPResponseException):
        return f"{type(error).__name__}, it answered {error.smtp_code}"
    return http_post.reason(error)


def _plain(content: dict[str, Any]) -> dict[str, Any]:
    """JSON that every receiver can parse: NaN, infinity and unknown types become text."""
    text = json.dumps(content, default=str, skipkeys=True)
    plain: dict[str, Any] = json.loads(text, parse_constant=str)
    return plain


def _printable_json(line: dict[str, Any]) -> str:
    """JSON in one line that can be shown on a terminal; a lone surrogate becomes a question mark."""
    text = json.dumps(line, ensure_ascii=False).encode(errors="replace").decode()
    return "".join(each if each.isprintable() else json.dumps(each)[1:-1] for each in text)


def _shortened(alert: Alert) -> dict[str, Any]:
    """The fields of an alert; receivers refuse more than some 28 kB."""
    facts = {
        name: value if len(_text(value)) <= LONGEST_FIELD else _cut(_text(value), LONGEST_FIELD)
        for name, value in alert.facts.items()
    }
    return {**asdict(alert), "message": _cut(alert.message, LONGEST_FIELD), "facts": facts}


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, default=str, skipkeys=True, ensure_ascii=False)


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _cut(text: str, longest: int) -> str:
    text = text.encode(errors="replace").decode()  # replaces lone surrogates, which UTF-8 cannot encode
    return text if len(text) <= longest else f"{text[: longest - 1]}…"
