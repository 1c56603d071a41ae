"""Alerts reach their receivers, and a dead, slow or refusing receiver never delays the sender."""

from __future__ import annotations

import base64
import datetime
import email.policy
import ipaddress
import json
import logging
import os
import socket
import ssl
import subprocess
import sys
import time
from email import message_from_string
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from dags import alerts
from dags.alerts import Alert, Email, Receivers, tell
from dags.chat_text import RECEIVERS, SWITCHES
from tests.support.receivers import Post, dripping, listening, silent, web

ALERT = Alert(
    kind="failed",
    dataset="purchases",
    dag="purchases_daily",
    task="validate_raw",
    ds="2026-01-05",
    message="3 of 15 rules failed",
    facts={"rules": 15, "failed": ["ExpectColumnValuesToNotBeNull on amount"], "share": float("nan")},
    link="http://127.0.0.1:8080/dags/purchases",
)
SECRET = "s3cret"
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def plain_surroundings(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    for name in (*(name for name in os.environ if name.lower().endswith("_proxy")), "ALERT_WEBHOOK"):
        monkeypatch.delenv(name, raising=False)
    # Jobs in this process turn off propagation of the log.
    monkeypatch.setattr(logging.getLogger("pipeline"), "propagate", True)
    # py4j logs at any time when Spark ran in this process.
    caplog.set_level(logging.WARNING, "py4j")


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alerts, "SECONDS", 0.5)


def receivers(tmp_path: Path, **others: Any) -> Receivers:
    return Receivers(log=str(tmp_path / "logs" / "alerts.log"), **others)


def lines(tmp_path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (tmp_path / "logs" / "alerts.log").read_text().splitlines()]


def mail_to(port: int, **others: Any) -> Email:
    given = {"starttls": False, **others}
    return Email(
        to=("a@example.org", "b@example.org"), sender="pipeline@example.org", host="127.0.0.1", port=port, **given
    )


def test_each_alert_is_one_line_of_json_in_the_log(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    tell(ALERT, receivers(tmp_path))
    tell(
        Alert("late", "purchases_daily", "", "2026-01-06", "two\nlines, süß \udcff"),
        receivers(tmp_path),
    )
    first, second = lines(tmp_path)
    assert (first["kind"], first["dataset"], first["task"], first["ds"]) == (
        "failed",
        "purchases",
        "validate_raw",
        "2026-01-05",
    )
    assert first["facts"] == {"rules": 15, "failed": ["ExpectColumnValuesToNotBeNull on amount"], "share": "NaN"}
    assert first["link"] == ALERT.link
    assert datetime.datetime.fromisoformat(first["at"]).tzinfo is not None
    assert second["message"] == "two\nlines, süß ?"
    assert caplog.text == ""


def test_the_log_is_in_the_project_from_any_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir("/")
    monkeypatch.setattr(alerts, "ROOT", tmp_path)
    tell(ALERT, Receivers())
    assert (tmp_path / "data" / "alerts.log").exists()


def test_a_webhook_gets_the_alert_as_text_and_as_fields(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with web() as receiver:
        monkeypatch.setenv("ALERT_WEBHOOK", receiver.url)
        tell(ALERT, receivers(tmp_path, webhook=True))
    ((method, kind, said),) = receiver.heard
    assert (method, kind) == ("POST", "application/json; charset=utf-8")
    assert said.pop("text").splitlines() == [
        "failed: purchases validate_raw 2026-01-05: 3 of 15 rules failed",
        "rules: 15",
        'failed: ["ExpectColumnValuesToNotBeNull on amount"]',
        "share: NaN",
        "http://127.0.0.1:8080/dags/purchases",
    ]
    (logged,) = lines(tmp_path)
    assert said == {**{name: value for name, value in logged.items() if name != "at"}, **SWITCHES["slack"]}


HOSTILE = Alert(
    "warning",
    "daily",
    "",
    "2026-01-05",
    "<!channel> <http://evil|click> [x](http://e) & @here *b* _i_ `c`\n# h \x1b[2J\u202e\x9b",
    dataset="<b>",
    link="http://here/dags/daily",
)
SHOWN = {
    "slack": "warning: &lt;b&gt; 2026-01-05: &lt;!channel&gt; &lt;http:\u200b//evil|click&gt; [x](http:\u200b//e) &amp; "
    "@\u200bhere *b* _i_ `c`\n# h \\x1b[2J\\u202e\\x9b\nhttp://here/dags/daily",
    "markdown": "warning: &lt;b&gt; 2026\\-01\\-05: &lt;\\!channel&gt; &lt;http:\u200b//evil\\|click&gt; "
    "\\[x\\]\\(http:\u200b//e\\) &amp; @\u200bhere \\*b\\* \\_i\\_ \\`c\\`\n\n\\# h "
    "\\\\x1b\\[2J\\\\u202e\\\\x9b\nhttp://here/dags/daily",
    "plain": "warning: <b> 2026-01-05: <!channel> <http://evil|click> [x](http://e) & @here *b* _i_ `c`\n# h "
    "\\x1b[2J\\u202e\\x9b\nhttp://here/dags/daily",
}


@pytest.mark.parametrize("who", RECEIVERS)
def test_a_webhook_gets_text_without_markup(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, who: str) -> None:
    with web() as receiver:
        monkeypatch.setenv("ALERT_WEBHOOK", receiver.url)
        tell(HOSTILE, receivers(tmp_path, webhook=True, webhook_text=who))
    ((_, _, said),) = receiver.heard
    assert said["text"] == SHOWN[who]
    assert said["message"] == HOSTILE.message, "fields are data, not text"
    assert (said.get("mrkdwn"), said.get("parse")) == ((False, "none") if who == "slack" else (None, None))


@pytest.mark.parametrize("who", RECEIVERS)
def test_no_alert_is_too_long_for_a_receiver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, who: str) -> None:
    long = Alert("failed", "daily", "", "2026-01-05", "<" * 100_000, facts={"failed": ["*" * 100_000], "rules": 1})
    with web() as receiver:
        monkeypatch.setenv("ALERT_WEBHOOK", receiver.url)
        tell(long, receivers(tmp_path, webhook=True, webhook_text=who))
    ((_, _, said),) = receiver.heard
    assert len(json.dumps(said)) < 28_000
    assert (len(said["message"]), said["facts"]["rules"]) == (5000, 1)
    (logged,) = lines(tmp_path)
    assert logged["message"] == long.message, "the log has all of it"


def test_the_log_of_alerts_is_private_and_safe_to_print(tmp_path: Path) -> None:
    tell(HOSTILE, receivers(tmp_path))
    log = tmp_path / "logs" / "alerts.log"
    assert log.read_text().removesuffix("\n").isprintable()
    assert [line["message"] for line in lines(tmp_path)] == [HOSTILE.message]
    assert log.stat().st_mode & 0o777 == 0o600


def test_a_log_that_others_could_read_is_closed_to_them(tmp_path: Path) -> None:
    log = tmp_path / "logs" / "alerts.log"
    log.parent.mkdir()
    log.touch()
    log.chmod(0o664)
    tell(ALERT, receivers(tmp_path))
    assert (log.stat().st_mode & 0o777, len(lines(tmp_path))) == (0o600, 1)


def test_a_long_message_is_cut_for_a_receiver_of_short_ones() -> None:
    text = Alert("failed", "daily", "", "2026-01-05", "x" * 100_000, link="http://here").words
    assert len(text) < 3100
    assert text.endswith("…\nhttp://here")


def test_a_lone_surrogate_does_not_stop_a_mail(tmp_path: Path) -> None:
    with listening(post := Post()) as port:
        tell(Alert("late", "daily", "", "2026-01-05", "part\udcff.csv"), receivers(tmp_path, email=mail_to(port)))
    assert "part?.csv" in post.mail[0]


def test_an_undeclared_webhook_gets_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with web() as receiver:
        monkeypatch.setenv("ALERT_WEBHOOK", receiver.url)
        tell(ALERT, receivers(tmp_path))
    assert receiver.heard == []


@pytest.mark.parametrize(
    ("status", "said"), [(500, "it answered 500"), (404, "it answered 404"), (302, "it answered 302")]
)
def test_a_refusing_webhook_warns_and_redirects_are_not_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, status: int, said: str
) -> None:
    with web(status) as receiver:
        monkeypatch.setenv("ALERT_WEBHOOK", receiver.url)
        tell(ALERT, receivers(tmp_path, webhook=True))
    (record,) = caplog.records
    assert record.levelname == "WARNING"
    assert said in record.message
    assert "'failed: purchases validate_raw 2026-01-05' did not reach the webhook" in record.message
    assert SECRET not in caplog.text
    assert len(receiver.heard) == len(lines(tmp_path)) == 1


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("", "the environment has no ALERT_WEBHOOK"),
        (f"file:///etc/{SECRET}", "is not an http or https address"),
        (f"ftp://127.0.0.1/{SECRET}", "is not an http or https address"),
        (SECRET, "is not an http or https address"),
        (f"http:///{SECRET}", "is not an http or https address"),
        (f"http://127.0.0.1:{SECRET}/", "InvalidURL"),
        (f"http://127.0.0.1:1/a b{SECRET}", "InvalidURL"),
        (f"http://127.0.0.1:1/ü{SECRET}", "UnicodeEncodeError"),
        (f"http://[{SECRET}/", "ValueError"),
        (f"http://me:{SECRET}@127.0.0.1:1/{SECRET}", ""),
        (f"http://127.0.0.1:1/{SECRET}", "ConnectionRefusedError"),
    ],
)
def test_an_invalid_address_warns_without_showing_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, url: str, said: str
) -> None:
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv("ALERT_WEBHOOK", url)
    tell(ALERT, receivers(tmp_path, webhook=True))
    (record,) = caplog.records
    assert said in record.message
    assert SECRET not in caplog.text + (tmp_path / "logs" / "alerts.log").read_text()


@pytest.mark.parametrize("answer", [silent, dripping])
def test_a_receiver_that_hangs_costs_bounded_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, quick: None, answer: Any
) -> None:
    with listening(answer) as port:
        monkeypatch.setenv("ALERT_WEBHOOK", f"http://127.0.0.1:{port}/{SECRET}")
        started = time.monotonic()
        tell(ALERT, receivers(tmp_path, webhook=True, email=mail_to(port)))
        assert time.monotonic() - started < 5
    assert len(lines(tmp_path)) == 1
    assert [record.levelname for record in caplog.records] == ["WARNING", "WARNING"]
    assert SECRET not in caplog.text


def test_no_receiver_may_cost_more_than_a_few_seconds() -> None:
    assert alerts.SECONDS <= 5


def test_a_process_ends_while_a_receiver_hangs(tmp_path: Path) -> None:
    code = (
        "from dags import alerts; alerts.SECONDS = 0.2\n"
        f"given = alerts.Receivers(log={str(tmp_path / 'log')!r}, webhook=True)\n"
        "alerts.tell(alerts.Alert('failed', 'daily', '', '2026-01-05', 'x'), given)"
    )
    with listening(dripping) as port:
        surroundings = {**os.environ, "ALERT_WEBHOOK": f"http://127.0.0.1:{port}/{SECRET}"}
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=ROOT, env=surroundings, timeout=30, capture_output=True, check=True
        )
    assert SECRET.encode() not in done.stdout + done.stderr


def test_an_unwritable_log_does_not_stop_other_alerts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "logs").write_text("no folder")
    with web() as receiver:
        monkeypatch.setenv("ALERT_WEBHOOK", receiver.url)
        tell(ALERT, receivers(tmp_path, webhook=True))
    assert len(receiver.heard) == 1
    assert "alerts.log: FileExistsError" in caplog.text


def test_a_log_that_hangs_costs_bounded_time(tmp_path: Path, caplog: pytest.LogCaptureFixture, quick: None) -> None:
    (tmp_path / "logs").mkdir()
    os.mkfifo(tmp_path / "logs" / "alerts.log")
    started = time.monotonic()
    tell(ALERT, receivers(tmp_path))
    assert time.monotonic() - started < 5
    assert "did not reach the log" in caplog.text


def test_an_alert_that_can_not_be_written_is_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    endless: dict[str, Any] = {}
    endless["again"] = endless
    tell(Alert("failed", "daily", "", "2026-01-05", "x", facts=endless), receivers(tmp_path))
    assert "RecursionError" in caplog.text
    caplog.clear()
    tell(ALERT, None)  # type: ignore[arg-type]
    assert "an alert could not be delivered: AttributeError" in caplog.text


def test_a_mail_holds_the_whole_alert(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    alert = Alert("warning", "daily", "", "2026-01-05", "süß\r\nBcc: all@example.org", "purchases")
    with listening(post := Post()) as port:
        tell(alert, receivers(tmp_path, email=mail_to(port)))
    assert caplog.text == ""
    assert "rcpt TO:<a@example.org>" in post.heard
    assert "rcpt TO:<b@example.org>" in post.heard
    assert not any("all@" in each for each in post.heard)
    (mail,) = (message_from_string(each, policy=email.policy.default) for each in post.mail)
    assert mail["Subject"] == "warning: purchases 2026-01-05: süß Bcc: all@example.org"
    assert (mail["From"], mail["To"]) == ("pipeline@example.org", "a@example.org, b@example.org")
    assert mail["Bcc"] is None
    assert mail.get_content().splitlines() == ["warning: purchases 2026-01-05: süß", "Bcc: all@example.org"]


def test_a_mail_server_that_asks_for_a_login_gets_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALERT_SMTP_PASSWORD", SECRET)
    with listening(post := Post(offers=("AUTH PLAIN",))) as port:
        tell(ALERT, receivers(tmp_path, email=mail_to(port, user="pipeline")))
    (login,) = (each for each in post.heard if each.startswith("AUTH"))
    assert base64.b64decode(login.split()[-1]) == f"\0pipeline\0{SECRET}".encode()
    assert len(post.mail) == 1


@pytest.mark.parametrize(
    ("refuses", "said"),
    [
        ({"AUTH": 535}, "SMTPAuthenticationError, it answered 535"),
        ({"RCPT": 550}, "SMTPRecipientsRefused"),
        ({"DATA": 451}, "SMTPDataError, it answered 451"),
    ],
)
def test_a_mail_server_that_refuses_is_a_warning(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    refuses: dict[str, int],
    said: str,
) -> None:
    monkeypatch.setenv("ALERT_SMTP_PASSWORD", SECRET)
    with listening(Post(offers=("AUTH PLAIN",), refuses=refuses)) as port:
        tell(ALERT, receivers(tmp_path, email=mail_to(port, user="pipeline")))
    assert said in caplog.text
    assert SECRET not in caplog.text


def test_a_password_that_is_not_there_is_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delenv("ALERT_SMTP_PASSWORD", raising=False)
    with listening(post := Post()) as port:
        tell(ALERT, receivers(tmp_path, email=mail_to(port, user="pipeline")))
    assert "the environment has no ALERT_SMTP_PASSWORD" in caplog.text
    assert post.heard == []


def certificate(folder: Path) -> Path:
    """Returns a self-signed certificate for 127.0.0.1 and its key."""
    x509 = pytest.importorskip("cryptography.x509")
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now, day = datetime.datetime.now(datetime.UTC), datetime.timedelta(days=1)
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    made = made.serial_number(1).not_valid_before(now - day).not_valid_after(now + day)
    here = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    pem = made.add_extension(here, critical=False).sign(key, hashes.SHA256())
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file = folder / "certificate.pem"
    file.write_bytes(pem.public_bytes(serialization.Encoding.PEM) + private)
    return file


@pytest.mark.parametrize("trusted", [True, False])
def test_a_password_goes_only_through_tls_to_a_trusted_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, trusted: bool
) -> None:
    file = certificate(tmp_path)
    monkeypatch.setenv("ALERT_SMTP_PASSWORD", SECRET)
    if trusted:
        monkeypatch.setenv("SSL_CERT_FILE", str(file))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    with listening(post := Post(offers=("STARTTLS", "AUTH PLAIN"), tls=context)) as port:
        tell(ALERT, receivers(tmp_path, email=mail_to(port, user="pipeline", starttls=True)))
    assert len(post.mail) == trusted
    assert any(each.startswith("AUTH") for each in post.heard) == trusted
    assert ("SSLCertVerificationError" in caplog.text) != trusted


def test_no_password_is_sent_where_starttls_is_not_offered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("ALERT_SMTP_PASSWORD", SECRET)
    with listening(post := Post(offers=("AUTH PLAIN",))) as port:
        tell(ALERT, receivers(tmp_path, email=mail_to(port, user="pipeline", starttls=True)))
    assert [each.split()[0] for each in post.heard if not each.startswith("QUIT")] == ["ehlo"]
    assert "SMTPNotSupportedError" in caplog.text


MAIL = {"to": ["a@example.org"], "sender": "b@example.org", "host": "mail.example.org"}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"webhok": True}, "webhok"),
        ({"webhook": f"https://example.org/{SECRET}"}, "webhook"),
        ({"log": ""}, "log"),
        ({"email": {**MAIL, "password": SECRET}}, "email.password"),
        ({"email": {**MAIL, "to": []}}, "email.to"),
        ({"email": {**MAIL, "to": ["a@example.org", f"{SECRET}"]}}, "to: entry 1 is not an address"),
        ({"email": {**MAIL, "sender": "b@example.org\nBcc: c@example.org"}}, "email.sender"),
        ({"email": {**MAIL, "port": 0}}, "email.port"),
        ({"email": {**MAIL, "user": "b", "starttls": False}}, "user needs starttls"),
    ],
)
def test_wrong_receivers_are_refused_and_no_value_is_shown(given: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError) as refused:
        Receivers(**given)
    assert said in str(refused.value)
    assert SECRET not in str(refused.value)


def test_what_airflow_imports_brings_neither_spark_nor_delta() -> None:
    heavy = {"pyspark", "great_expectations", "deltalake", "pyarrow", "pydantic_settings", "airflow"}
    code = f"import sys, dags.alerts; sys.exit(bool({heavy!r} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


def test_a_closed_port_is_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    tell(ALERT, receivers(tmp_path, email=mail_to(port)))
    assert "did not reach the mail server 127.0.0.1: ConnectionRefusedError" in caplog.text
