"""Chromium, driven through its debugging pipe: no driver, no port, and nothing to install besides the browser."""

from __future__ import annotations

import fcntl
import json
import os
import select
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
FLAGS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking")
PATIENCE_SECONDS = 60.0
HIGH = 20  # above the descriptors that Chromium wants


class Browser:
    """One tab. What the page complains about is kept in `problems`."""

    def __init__(self, read: int, write: int) -> None:
        self._read, self._write, self._rest, self._sent = read, write, b"", 0
        self.problems: list[str] = []
        target = self._ask("Target.createTarget", url="about:blank")["targetId"]
        self._session = self._ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            self.ask(f"{domain}.enable")

    def open(self, page: Path, address: str = "#/") -> None:
        self.ask("Page.navigate", url=f"{page.as_uri()}{address}")
        self.until("document.readyState === 'complete' && document.querySelector('h1') !== null")

    def go(self, address: str) -> None:
        self.run(f"location.hash = {json.dumps(address)}")
        self.run("new Promise((done) => requestAnimationFrame(() => setTimeout(done, 30)))")

    def run(self, script: str) -> Any:
        done = self.ask("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in done, done["exceptionDetails"]
        return done["result"].get("value")

    def text(self, selector: str = "main") -> str:
        return str(self.run(f"document.querySelector({json.dumps(selector)}).innerText"))

    def click(self, selector: str) -> None:
        self.run(f"document.querySelector({json.dumps(selector)}).click()")
        self.run("new Promise((done) => requestAnimationFrame(() => setTimeout(done, 30)))")

    def press(self, key: str) -> None:
        for kind in ("keyDown", "keyUp"):
            text = {"text": "\r"} if key == "Enter" and kind == "keyDown" else {}
            text = {"text": key} if len(key) == 1 and kind == "keyDown" else text
            code = {"windowsVirtualKeyCode": 13} if key == "Enter" else {}
            self.ask("Input.dispatchKeyEvent", type=kind, key=key, **text, **code)
        self.run("new Promise((done) => setTimeout(done, 30))")

    def type(self, words: str) -> None:
        self.ask("Input.insertText", text=words)

    def look(self, width: int, scheme: str = "light") -> None:
        """Sets the width of the window and the colour scheme that the person prefers."""
        self.ask("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=width < 600)
        self.ask("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])

    def until(self, condition: str) -> None:
        ends = time.monotonic() + PATIENCE_SECONDS
        while not self.run(condition):
            assert time.monotonic() < ends, f"{condition} never came true"

    def ask(self, method: str, **words: Any) -> dict[str, Any]:
        return self._ask(method, self._session, **words)

    def _ask(self, method: str, session: str = "", **words: Any) -> dict[str, Any]:
        self._sent += 1
        message = {"id": self._sent, "method": method, "params": words, **({"sessionId": session} if session else {})}
        os.write(self._write, json.dumps(message).encode() + b"\0")
        while True:
            told = self._next()
            if told.get("id") == self._sent:
                assert "error" not in told, told
                return dict(told["result"])
            self._notice(told)

    def _notice(self, told: dict[str, Any]) -> None:
        if told.get("method") == "Runtime.exceptionThrown":
            self.problems.append(json.dumps(told["params"]["exceptionDetails"]))
        if told.get("method") == "Log.entryAdded":
            self.problems.append(told["params"]["entry"]["text"])

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._rest:
            ready, *_ = select.select([self._read], [], [], PATIENCE_SECONDS)
            part = os.read(self._read, 1 << 20) if ready else b""
            assert part, "Chromium does not answer"
            self._rest += part
        text, _, self._rest = self._rest.partition(b"\0")
        return dict(json.loads(text))


@contextmanager
def browser(profile: Path) -> Iterator[Browser]:
    """A browser of its own, ended by its process id."""
    ours, theirs = os.pipe(), os.pipe()  # from Chromium, to Chromium
    ends = [fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, HIGH) for end in (*ours, *theirs)]
    for end in (*ours, *theirs):
        os.close(end)
    read, its_write, its_read, write = ends

    def connect() -> None:
        os.dup2(its_read, 3)
        os.dup2(its_write, 4)

    command = [str(CHROMIUM), *FLAGS, "--remote-debugging-pipe", f"--user-data-dir={profile}"]
    quiet = subprocess.DEVNULL
    process = subprocess.Popen(
        command,
        stdout=quiet,
        stderr=quiet,
        stdin=quiet,
        preexec_fn=connect,  # noqa: PLW1509  the pipe must have the numbers 3 and 4
        pass_fds=(3, 4),
        start_new_session=True,
    )
    os.close(its_read)
    os.close(its_write)
    try:
        yield Browser(read, write)
    finally:
        process.kill()
        process.wait()
        os.close(read)
        os.close(write)
