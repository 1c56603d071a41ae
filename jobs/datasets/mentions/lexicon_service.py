"""Serve sentiment scores on this machine, from a lexicon: for the demo. It answers at /score, in bulk."""

from __future__ import annotations

import json
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from common.errors import UsageError, exit_on_error
from common.names import whole_number
from common.runtime.command_line import CommandLine

# A newer lexicon gets a higher number: its scores then replace those of this one.
MODEL = 1
MOST_BYTES = 5_000_000


def lexicon() -> Callable[[str], str]:
    try:
        from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer
    except ImportError:
        raise UsageError("the lexicon is not installed; make mentions installs it") from None
    analyzer = SentimentIntensityAnalyzer()
    return lambda text: f"{analyzer.polarity_scores(text)['compound']:.4f}"


def answer(body: bytes, score: Callable[[str], str]) -> tuple[int, dict[str, Any]]:
    """The status and the document for what was sent."""
    try:
        texts = [str(record["text"]) for record in json.loads(body)["records"]]
    except (KeyError, TypeError, ValueError):
        return 422, {"error": 'expected {"records": [{"text": "…"}]}'}
    return 200, {"records": [{"score": score(text), "score_model": MODEL} for text in texts]}


def server(port: int, score: Callable[[str], str]) -> ThreadingHTTPServer:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            size = int(self.headers.get("Content-Length") or 0)
            status, document = (413, {}) if size > MOST_BYTES else answer(self.rfile.read(size), score)
            body = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Texts of people stand in no log."""

    return ThreadingHTTPServer(("127.0.0.1", port), Handler)


@exit_on_error()
def main() -> None:
    parser = CommandLine(prog="python -m jobs.datasets.mentions.lexicon_service", description=__doc__)
    parser.with_help(".venv/bin/python -m jobs.datasets.mentions.lexicon_service --port 8090")
    parser.add_argument("--port", type=whole_number, default=8090, help="on 127.0.0.1 (default: 8090)")
    arguments = parser.parse_args()
    serving = server(arguments.port, lexicon())
    print(f"http://127.0.0.1:{serving.server_port}/score", flush=True)
    serving.serve_forever()


if __name__ == "__main__":
    main()
