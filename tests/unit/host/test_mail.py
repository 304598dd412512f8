import asyncio
from pathlib import Path
from typing import Any

import pytest
from tests.unit.host.mail_server import NOBODY, SECRET, MailServer, Tls

from portward.config.mail import Mail
from portward.errors import Environment
from portward.host.mail import Mailer, compose

TEXT = "Grüße,\n\nhttps://auth.example.com/.portward/release?token=" + "x" * 90 + "\n"


def send(table: dict[str, Any], to: str = "ann@example.com") -> None:
    mail = Mail.model_validate(table)
    asyncio.run(Mailer(lambda: mail).send(to, "Your way back in", TEXT))


def refusal(table: dict[str, Any], to: str = "ann@example.com") -> str:
    with pytest.raises(Environment) as caught:
        send(table, to)
    assert SECRET not in str(caught.value)
    assert SECRET not in repr(caught.value.__cause__)
    return str(caught.value)


@pytest.mark.parametrize("tls", ["starttls", "implicit", "none"])
def test_mail_arrives_whole(tmp_path: Path, tls: Tls) -> None:
    with MailServer(tmp_path, tls) as server:
        send(server.table)
        mail = server.wait_for(1)
    assert mail.get_content().replace("\r\n", "\n") == TEXT
    assert (mail["To"], mail["From"], mail["Subject"]) == ("ann@example.com", "gate@example.com", "Your way back in")
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["Message-ID"].endswith("@example.com>")


@pytest.mark.parametrize("tls", ["starttls", "implicit"])
def test_a_certificate_of_another_name_gets_no_password(tmp_path: Path, tls: Tls) -> None:
    with MailServer(tmp_path, tls, name="mail.elsewhere.example") as server:
        assert "shows no certificate that can be trusted" in refusal(server.table)
        assert server.taken == []


def test_a_server_without_starttls_gets_nothing(tmp_path: Path) -> None:
    with MailServer(tmp_path, "none") as server:
        assert "does not offer what is needed" in refusal({**server.table, "tls": "starttls"})
        assert server.taken == []


def test_a_wrong_password_is_told_without_it(tmp_path: Path) -> None:
    with MailServer(tmp_path) as server:
        (tmp_path / "password").write_text("something else\n")
        assert "does not accept the user and password (535)" in refusal(server.table)


def test_a_password_that_others_may_read_is_not_used(tmp_path: Path) -> None:
    with MailServer(tmp_path) as server:
        (tmp_path / "password").chmod(0o640)
        assert "may be read by others" in refusal(server.table)


def test_what_the_server_says_to_an_address_is_told(tmp_path: Path) -> None:
    with MailServer(tmp_path) as server:
        assert "550 5.1.1 there is no such mailbox" in refusal(server.table, NOBODY)


def test_a_server_that_is_away_is_named(tmp_path: Path) -> None:
    with MailServer(tmp_path) as server:
        table = server.table
    assert f"localhost:{table['port']} can't be reached" in refusal(table)


def test_without_a_server_nothing_is_sent() -> None:
    with pytest.raises(Environment, match="no mail server"):
        asyncio.run(Mailer(lambda: None).send("ann@example.com", "", ""))


def test_a_subject_can_not_bring_headers_of_its_own() -> None:
    with pytest.raises(ValueError, match="linefeed"):
        compose("gate@example.com", "ann@example.com", "hello\nBcc: eve@example.com", "")
