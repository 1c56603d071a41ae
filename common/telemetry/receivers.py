"""Sends a run's reports to receivers in the background: a run waits for them only a moment at its end."""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field

from common.runtime import http_post

# How long a process waits at its end for all receivers together; what they have not taken by then is lost.
FLUSH_SECONDS = 0.2
# How long one request may take; in the background, so that no run notices.
REQUEST_SECONDS = 2.0
# A receiver that is down during a long backfill must not fill the memory.
MOST_WAITING = 10_000


@dataclass(frozen=True)
class Message:
    url: str
    content: bytes
    content_type: str
    method: str = "POST"
    replaces: str = ""  # a message that waits under the same name is no longer worth sending
    headers: Mapping[str, str] = field(default_factory=dict)


class Receiver:
    """One address, served by a daemon thread, in order."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.lost = 0
        self.reason = ""
        self._waiting: OrderedDict[str, Message] = OrderedDict()
        self._changed = threading.Condition()
        self._count = 0
        self._sending = False
        threading.Thread(target=self._serve, name=f"to {name}", daemon=True).start()

    def put(self, message: Message) -> None:
        with self._changed:
            self._count += 1
            key = message.replaces or str(self._count)
            self._waiting[key] = message
            if len(self._waiting) > MOST_WAITING:
                self._waiting.popitem(last=False)
                self._lose("too many were waiting")
            self._changed.notify_all()

    def flush(self, deadline: float) -> None:
        """Wait until all is sent, or until the deadline; drop what is left and count it as lost."""
        with self._changed:
            self._changed.wait_for(lambda: not self._waiting and not self._sending, deadline - time.monotonic())
            left = len(self._waiting) + self._sending
            self._waiting.clear()
            if left:
                self._lose(self.reason or f"no answer within {FLUSH_SECONDS:g} s", left)

    def _serve(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: bool(self._waiting))
                _, message = self._waiting.popitem(last=False)
                self._sending = True
            problem = _sent(message)
            with self._changed:
                self._sending = False
                if problem:
                    self._lose(problem)
                self._changed.notify_all()

    def _lose(self, reason: str, count: int = 1) -> None:
        self.lost, self.reason = self.lost + count, reason


def _sent(message: Message) -> str:
    """Send the message; return why it could not be."""
    headers = {"Content-Type": message.content_type, **message.headers}
    try:
        http_post.send(message.url, message.content, headers, REQUEST_SECONDS, message.method)
    except Exception as error:
        return http_post.reason(error)
    return ""


_receivers: dict[str, Receiver] = {}


def send(name: str, message: Message) -> None:
    if name not in _receivers:
        _receivers[name] = Receiver(name)
    _receivers[name].put(message)


def flush() -> dict[str, int]:
    """Wait a moment for the receivers; return how many messages each has lost, and warn of them."""
    deadline = time.monotonic() + FLUSH_SECONDS
    lost = {}
    for name, receiver in _receivers.items():
        receiver.flush(deadline)
        if receiver.lost:
            lost[name] = receiver.lost
            logging.getLogger("pipeline").warning(
                "%d messages did not reach the %s receiver: %s", receiver.lost, name, receiver.reason
            )
    _receivers.clear()
    return lost
