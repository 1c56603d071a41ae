"""Watch mentions arrive while the service that scores them is killed and brought back, all on this machine."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from common.days import HOUR, current, end_of, shifted, start_of
from common.errors import PipelineError, UsageError, exit_on_error
from common.names import whole_number
from common.runtime.command_line import CommandLine
from common.runtime.log_output import listen
from common.runtime.session_kind import java
from common.runtime.settings import ROOT
from jobs.datasets.mentions.sample import mentions_of

NAME, ANGRY = "mentions", "toaster duo"
# More than a day, to have the same hour of the day before.
HISTORY = 26
FOLDER, MARK = Path("data/mentions"), ".made-by-the-demo"
USUAL: dict[str, Any] = {"dataset": NAME, "lake": None, "landing": None, "env": "local"}
USUAL |= {"full_refresh": False, "long_range": False}
Mentions = Sequence[dict[str, str | None]]


@dataclass
class ServiceProcess:
    """The scorer, as a process of its own."""

    port: int
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [sys.executable, "-m", "jobs.datasets.mentions.lexicon_service", "--port", str(self.port)]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        until = time.monotonic() + 30
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                if self.process.poll() is not None or time.monotonic() > until:
                    raise PipelineError("the scorer did not start; its words are above") from None
                time.sleep(0.1)

    def kill(self) -> None:
        if self.process:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
            self.process = None


@dataclass
class Network:
    """Where mentions come from in the demo: a topic where a broker is installed, else files of the landing folder."""

    cluster: str  # its address; empty for files
    sent: set[date] = field(default_factory=set)

    def send(self, hour: date, mentions: Mentions, at: datetime | None = None) -> None:
        self.sent.add(hour)
        run = plan("demo", hour)
        if not self.cluster:
            folder = Path(run.settings.landing) / NAME / f"ds={hour}"
            folder.mkdir(parents=True, exist_ok=True)
            lines = "".join(json.dumps(mention) + "\n" for mention in mentions)
            (folder / f"network-{time.time_ns()}.jsonl").write_text(lines)
            return
        from common.sources.kafka.client import kafka_address
        from common.sources.kafka.sender import send_messages

        messages = [(str(mention["mention_id"]), json.dumps(mention)) for mention in mentions]
        send_messages(run.spark, kafka_address("social"), NAME, messages, at or datetime.now(UTC))

    def take(self) -> None:
        """What a scheduler does every five minutes."""
        if self.cluster:
            from jobs.stream import stream

            options = {"available_now": True, "every": 60.0, "most_records": 100_000, "online": False}
            stream([plan("stream", min(self.sent), **options)])
            return
        from common.orchestration.chain import run_chain
        from jobs.backfill import CHAIN

        hours = sorted({*self.sent, current(HOUR)})
        run_chain(CHAIN, [plan("backfill", hour) for hour in hours if (landing(hour)).is_dir()])
        self.sent = {hours[-1]}


def plan(job: str, hour: date, **options: Any) -> Any:
    from common.orchestration import cli

    return cli.plan(job, {**USUAL, "ds": str(hour), **options})[0]


def landing(hour: date) -> Path:
    return Path(plan("demo", hour).settings.landing) / NAME / f"ds={hour}"


def get_scores() -> None:
    """Also every five minutes. While the service is down, this fails and nothing else does."""
    from common.orchestration.job import run_day
    from jobs.scores import SCORES

    try:
        counts = run_day(SCORES, plan("scores", current(HOUR)))["counts"]
        say(f"  scores: {counts['scored']} came, {counts['pending']} stay pending")
    except PipelineError as error:
        say(f"  scores: none. {error}")


def show(page: Path) -> None:
    from common.published.catalog import Lake
    from jobs.datasets.mentions.dashboard import write_dashboard

    settings = plan("demo", current(HOUR)).settings
    write_dashboard(settings, page)
    view = Lake(settings.lake).features(f"{NAME}@v1").at()
    for row in sorted(view.arrow(ds=max(view.days())).to_pylist(), key=lambda row: str(row["product"])):
        mood = "   –" if row["sentiment_24h"] is None else f"{row['sentiment_24h']:+.2f}"
        words = f"{row['mentions_1h']:4} this hour, {row['mentions_1h_day_before']:3} yesterday, sentiment {mood}"
        say(f"  {row['product']:12} {words}, {row['pending_7d']:3} pending")


def history(network: Network, hours: int) -> None:
    """What was said before the demo, with the scores that came then."""
    from common.contracts.scoring import required_scoring
    from common.scoring.service import ScoringService

    first = shifted(current(HOUR), -hours)
    for hour in [shifted(first, number) for number in range(hours)]:
        run = plan("demo", hour)
        said = mentions_of(hour)
        scored = list(ScoringService(required_scoring(run.dataset), run.contract).scored(said))
        network.send(hour, scored, end_of(hour) - timedelta(milliseconds=1))


def play(network: Network, service: ServiceProcess, page: Path, hours: int) -> None:
    say(f"{hours} hours of mentions, as they were scored then:")
    history(network, hours)
    network.take()
    show(page)
    say(f"\nThe page: {page}\n\nPeople write, and the service scores:")
    network.send(current(HOUR), mentions_of(current(HOUR), until=elapsed()))
    five_minutes(network, page)
    say(f"\nThe service is killed, and people are angry at the {ANGRY}:")
    service.kill()
    network.send(current(HOUR), mentions_of(current(HOUR), outrage=ANGRY, until=elapsed()))
    five_minutes(network, page)
    say("\nThe service is back:")
    service.start()
    five_minutes(network, page)
    say(f"\nThe page: {page}\nNext: LAKE={page.parent}/lake make status")


def elapsed() -> float:
    """The share of the hour that is over."""
    return (datetime.now(UTC) - start_of(current(HOUR))) / timedelta(hours=1)


def five_minutes(network: Network, page: Path) -> None:
    network.take()
    get_scores()
    network.take()
    show(page)


@contextmanager
def broker() -> Iterator[str]:
    """The address of a broker; none where the jars are not there. It ends with its standard input."""
    command = [sys.executable, str(ROOT / "conf" / "kafka" / "broker.py")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin and process.stdout
        address = process.stdout.readline().strip()
        if not address:
            say("Mentions come as files.")
        yield address
        with suppress(BrokenPipeError):
            process.stdin.close()


def begin_anew(folder: Path) -> None:
    """The lake of an earlier demo goes; nothing else does."""
    if folder.exists() and not (folder / MARK).exists():
        raise UsageError(f"{folder} is no folder of this demo; give --folder another one")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / MARK).touch()
    os.environ |= {"LAKE": str(folder.resolve() / "lake"), "LANDING": str(folder.resolve() / "landing")}


def make_topic() -> None:
    jvm = java(plan("demo", current(HOUR)).spark)
    properties = jvm.java.util.Properties()
    properties.setProperty("bootstrap.servers", os.environ["SOCIAL_KAFKA"])
    admin, topics = jvm.org.apache.kafka.clients.admin, jvm.java.util.ArrayList()
    topics.add(admin.NewTopic(NAME, 2, jvm.Short("1")))
    asking = admin.Admin.create(properties)
    asking.createTopics(topics).all().get()
    asking.close()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as opened:
        return int(opened.getsockname()[1])


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


@exit_on_error()
def main() -> None:
    parser = CommandLine(prog="jobs/datasets/mentions/demo.py", description=__doc__)
    parser.with_help("make mentions")
    parser.add_argument("--hours", type=whole_number, default=HISTORY, help=f"before now (default: {HISTORY})")
    parser.add_argument("--folder", type=Path, default=FOLDER, help=f"of its lake, made anew (default: {FOLDER})")
    parser.add_argument("--files", action="store_true", help="take files, also where a broker is installed")
    arguments = parser.parse_args()
    listen()
    begin_anew(arguments.folder)
    service = ServiceProcess(free_port())
    os.environ["SENTIMENT_SERVICE"] = f"http://127.0.0.1:{service.port}/score"
    with ExitStack() as opened:
        address = "" if arguments.files else opened.enter_context(broker())
        if address:
            os.environ["SOCIAL_KAFKA"] = address
            make_topic()
        service.start()
        opened.callback(service.kill)
        play(Network(address), service, arguments.folder / "mentions.html", arguments.hours)


if __name__ == "__main__":
    main()
