"""A real mail server on loopback (aiosmtpd), which keeps what it takes.

with MailServer(directory) as server:
    server.table            # the table [mail] that leads to it, as portward.toml has it
    server.taken            # what arrived
    server.wait_for(1)
"""

import socket
import ssl
import threading
from contextlib import closing
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any, Literal, Self

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from tests.unit.pki.public import PublicAuthority, spell

USER, SECRET = "gate", "seven grey herons ashore"
NOBODY = "nobody@example.com"
Tls = Literal["starttls", "implicit", "none"]


class MailServer:
    """Takes mail for everybody but `NOBODY`; with STARTTLS, from those who log in."""

    def __init__(self, directory: Path, tls: Tls = "starttls", name: str = "localhost") -> None:
        self.taken: list[EmailMessage] = []
        self._news = threading.Condition()
        self._tls, authority = tls, PublicAuthority(datetime.now(UTC))
        self._root, self._leaf, self._password = (directory / part for part in ("root.pem", "leaf.pem", "password"))
        self._root.write_bytes(spell(authority.root))
        self._leaf.write_bytes(authority.issue(name))
        self._password.write_text(f"{SECRET}\n")
        self._password.chmod(0o600)

    def __enter__(self) -> Self:
        self._port = _free_port()
        self._controller = Controller(self, hostname="127.0.0.1", port=self._port, **self._options())
        self._controller.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._controller.stop()

    @property
    def table(self) -> dict[str, Any]:
        """The table [mail]."""
        table = {"host": "localhost", "port": self._port, "tls": self._tls, "from": "gate@example.com"}
        trusted = {**table, "ca-file": str(self._root)}
        if self._tls != "starttls":
            return table if self._tls == "none" else trusted
        return {**trusted, "user": USER, "password-file": str(self._password)}

    def wait_for(self, count: int) -> EmailMessage:
        """The newest mail, as soon as there are so many."""
        with self._news:
            assert self._news.wait_for(lambda: len(self.taken) >= count, timeout=20), self.taken
            return self.taken[-1]

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: Any
    ) -> str:
        if address == NOBODY:
            return "550 5.1.1 there is no such mailbox"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(  # noqa: N802 - aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        content = envelope.content
        assert isinstance(content, bytes)
        with self._news:
            self.taken.append(message_from_bytes(content, policy=policy.default))
            self._news.notify_all()
        return "250 OK"

    def _options(self) -> dict[str, Any]:
        if self._tls == "none":
            return {}
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(self._leaf)
        if self._tls == "implicit":
            return {"ssl_context": context}
        return {"tls_context": context, "require_starttls": True, "authenticator": _judge, "auth_required": True}


def _judge(server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any) -> AuthResult:
    right = isinstance(data, LoginPassword) and (data.login, data.password) == (USER.encode(), SECRET.encode())
    return AuthResult(success=right, handled=False)


def _free_port() -> int:
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        return int(listener.getsockname()[1])
