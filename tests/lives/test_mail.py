"""The gateway's mail, against a real server."""

from pathlib import Path

from tests.lives.conftest import MakeGateway
from tests.unit.host.mail_server import SECRET, MailServer


def test_mail_is_tried_out_on_the_command_line(make_gateway: MakeGateway, tmp_path: Path) -> None:
    with MailServer(tmp_path) as server:
        gateway = make_gateway({"hello": {"upstream": "demo"}}, mail=server.table)
        assert "took a mail for ann@example.com" in gateway.cli("mail", "test", "ann@example.com")
        assert server.wait_for(1)["From"] == "gate@example.com"
        table = server.table
    gateway.cli("mail", "test", "ann@example.com", expect=7)
    gateway.cli("mail", "test", "not an address", expect=6)
    gateway.stop()
    written = [path.read_bytes() for path in gateway.state.rglob("*") if path.is_file()]
    texts = [*written, gateway.out.text.encode(), gateway.err.text.encode()]
    assert table["user"]
    assert not any(SECRET.encode() in text for text in texts)
