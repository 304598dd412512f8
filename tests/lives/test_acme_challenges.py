"""tls-alpn-01 where port 80 is closed, dns-01 with wildcards by a hook and by a provider, and several authorities."""

import contextlib
import http.server
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tests.lives.certified import LONG, Watch, certified, row, shown, wait_for_public
from tests.lives.gateway import Gateway, free_ports
from tests.lives.names import ZONE, Names
from tests.lives.pebble import Pebble
from tests.lives.waiting import wait_for

OPEN = {"upstream": "demo", "access": "public"}
HOOK = """#!/bin/sh
echo "$0 $*" >> {log}
env | grep -E '^(CERTBOT|PORTWARD)' >> {log}
if [ "$1" = auth ]; then echo "$CERTBOT_VALIDATION" >> {txt}/$PORTWARD_RECORD; echo made; fi
if [ "$1" = cleanup ]; then echo "auth said $CERTBOT_AUTH_OUTPUT" >> {log}; rm {txt}/$PORTWARD_RECORD; fi
"""


# ---- tls-alpn-01 -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("proxies", [{}, {"proxy-protocol": ["127.0.0.9"]}], ids=["", "behind a balancer"])
def test_tls_alpn_01_needs_no_port_80_and_ordinary_visitors_do_not_notice(proxies: dict[str, Any]) -> None:
    services = {"wiki": OPEN, "blog": OPEN}
    table = {"challenge": "tls-alpn-01"}
    with certified(services, lambda *_: table, listen={"http": []}, proxies=proxies) as (gateway, pebble), gateway:
        plain = (gateway.state / "edge" / "haproxy.cfg").read_text()
        with Watch(gateway, "wiki") as watch:
            wait_for_public(gateway, "wiki", "blog", "auth")
        assert watch.errors == []
        assert len(set(watch.serials)) <= 2
        assert (pebble.accounts, pebble.orders) == (1, 3)
        wait_for(lambda: "acme-tls/1" not in _configuration(gateway), "the look to end", LONG)
        assert _without_marks(_configuration(gateway)) == _without_marks(plain)
        assert not (gateway.state / "run" / "alpn.sock").exists()
        assert gateway.runtime("show env PORTWARD_PLAN") in plain.replace("setenv PORTWARD_PLAN ", "PORTWARD_PLAN=")


def _configuration(gateway: Gateway) -> str:
    return (gateway.state / "edge" / "haproxy.cfg").read_text()


def _without_marks(text: str) -> list[str]:
    return [line for line in text.splitlines() if "PORTWARD_PLAN" not in line]


# ---- dns-01 ----------------------------------------------------------------------------------------------------------


def test_dns_01_by_a_hook_gives_one_wildcard_for_all_hosts_below() -> None:
    places: dict[str, Path] = {}

    def table(pebble: Pebble, gateway: Gateway) -> dict[str, Any]:
        places["log"], places["txt"] = gateway.directory / "hook.log", pebble.names.directory
        hook = gateway.directory / "hook"
        hook.write_text(HOOK.format(**places))
        hook.chmod(0o700)
        return {"challenge": "dns-01", "wildcards": [ZONE], "dns": {"hook": "hook"}}

    services = {"wiki": OPEN, "deep": {**OPEN, "host": f"deep.er.{ZONE}"}}
    with certified(services, table) as (gateway, pebble), gateway:
        wait_for_public(gateway, "wiki", "auth", f"deep.er.{ZONE}")
        assert row(gateway, "wiki")["names"] == row(gateway, "auth")["names"] == [f"*.{ZONE}"]
        assert row(gateway, f"deep.er.{ZONE}")["names"] == [f"deep.er.{ZONE}"]
        assert (pebble.accounts, pebble.orders) == (1, 2)
        log = places["log"].read_text()
        assert f"PORTWARD_RECORD=_acme-challenge.{ZONE}" in log
        assert f"CERTBOT_DOMAIN={ZONE}" in log
        assert "auth said made" in log
        calls = [line.rpartition("/hook ")[2] for line in log.splitlines() if "/hook " in line]
        assert sorted(calls) == ["auth", "auth", "cleanup", "cleanup"]
        assert pebble.names.txt(f"_acme-challenge.{ZONE}") == []


def test_dns_01_by_a_provider_follows_an_alias_and_keeps_its_secret() -> None:
    with certified({"wiki": OPEN}, provider_table) as (gateway, pebble), power_dns(pebble.names) as asked:
        credentials = gateway.directory / "dns.toml"
        url = f"http://127.0.0.1:{asked.port}"
        credentials.write_text(f'auth_token = "s3cret-token"\npdns_server = "{url}"\n')
        credentials.chmod(0o600)
        pebble.names.say(f"_acme-challenge.auth.{ZONE}", "CNAME", f"auth.alias.{ZONE}.")
        with gateway:
            wait_for_public(gateway, "wiki", "auth")
            assert asked.tokens == {"s3cret-token"}
            assert f"auth.alias.{ZONE}." in asked.names
            assert f"_acme-challenge.wiki.{ZONE}." in asked.names
            assert pebble.names.txt(f"_acme-challenge.wiki.{ZONE}") == []
            credentials.chmod(0o644)
            said = gateway.cli("certificate", "renew", f"wiki.{ZONE}", expect=1)
            assert "can be read by others" in said
        assert "s3cret-token" not in gateway.err.text


def provider_table(pebble: Pebble, gateway: Gateway) -> dict[str, Any]:
    return {"challenge": "dns-01", "dns": {"provider": "powerdns", "credentials-file": "dns.toml"}}


@contextlib.contextmanager
def power_dns(names: Names) -> Iterator[SimpleNamespace]:
    """The part of PowerDNS's API that dns-lexicon speaks; it writes into the test's own DNS server."""
    asked = SimpleNamespace(tokens=set(), names=set(), port=0)

    class Api(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.tokens.add(self.headers["X-API-Key"])
            sets = [
                {
                    "name": f"{file.name}.",
                    "type": "TXT",
                    "ttl": 60,
                    "records": [_record(t) for t in names.txt(file.name)],
                }
                for file in names.directory.iterdir()
            ]
            self._answer({"kind": "Native", "rrsets": sets})

        def do_PATCH(self) -> None:
            for change in json.loads(self.rfile.read(int(self.headers["Content-Length"])))["rrsets"]:
                asked.names.add(change["name"])
                values = [one["content"].strip('"') for one in change.get("records", [])]
                (names.directory / change["name"].rstrip(".")).write_text("".join(f"{value}\n" for value in values))
            self._answer({})

        def _answer(self, body: Any) -> None:
            content = json.dumps(body).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """The test reads `asked`."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Api) as server:
        asked.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield asked
        finally:
            server.shutdown()
            thread.join()


def _record(value: str) -> dict[str, Any]:
    return {"content": f'"{value}"', "disabled": False}


# ---- whom to ask -----------------------------------------------------------------------------------------------------


def test_the_next_authority_is_asked_where_one_is_away_and_external_accounts_are_bound() -> None:
    secret = "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W"

    def table(pebble: Pebble, gateway: Gateway) -> dict[str, Any]:
        (gateway.directory / "eab.key").write_text(secret)
        away = {"directory": f"https://127.0.0.1:{free_ports(1)[0]}/dir", "ca-file": str(pebble.ca_file)}
        bound = {"eab-kid": "kid-1", "eab-hmac-file": "eab.key"}
        there = {"directory": pebble.directory, "ca-file": str(pebble.ca_file)}
        return {"authorities": [away, {**there, **bound}], "key-type": "rsa"}

    config = {"externalAccountBindingRequired": True, "externalAccountMACKeys": {"kid-1": secret}}
    with certified({"wiki": OPEN}, table, config=config) as (gateway, pebble), gateway:
        wait_for_public(gateway, "wiki", "auth")
        assert (pebble.accounts, pebble.orders) == (1, 2)
        assert getattr(shown(gateway, "wiki").public_key(), "key_size", 0) == 2048
