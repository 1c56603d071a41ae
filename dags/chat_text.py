"""The text of an alert, escaped for who shows it, so that data makes no link, mention or markup there."""

from __future__ import annotations

import html
import re
from typing import Any, Literal, get_args

Receiver = Literal["slack", "markdown", "plain"]
RECEIVERS = get_args(Receiver)
# Slack: text is text, and an address in it no link; others do not know these fields.
SWITCHES: dict[str, dict[str, Any]] = {
    "slack": {"mrkdwn": False, "parse": "none", "link_names": False, "unfurl_links": False, "unfurl_media": False},
    "markdown": {},
    "plain": {},
}
_MARKUP = re.compile(r"([\\`*_{}\[\]()#+.!|~-])")


def for_chat(text: str, receiver: Receiver) -> str:
    if receiver == "plain":
        return text
    # A zero-width space after the sign: it reads as before, and nobody is called and nothing is linked.
    quiet = html.escape(text, quote=False).replace("@", "@\u200b").replace("://", ":\u200b//")
    return _MARKUP.sub(r"\\\1", quiet).replace("\n", "\n\n") if receiver == "markdown" else quiet
