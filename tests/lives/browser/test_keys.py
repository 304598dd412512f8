"""Somebody's own SSH keys: pasted, shown, removed, on a screen and on a phone."""

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import pytest
from playwright.sync_api import expect
from tests.lives.browser.chromium import Chromium
from tests.lives.browser.conftest import MakeAccount
from tests.lives.browser.person import Person
from tests.lives.gateway import Gateway
from tests.lives.output import Output
from tests.lives.upstream import Upstream
from tests.lives.waiting import PATIENCE, wait_for


@pytest.fixture
def pair(tmp_path: Path) -> Path:
    """A fresh pair of keys: the private one's file."""
    file = tmp_path / "id_ed25519"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "ann@laptop", "-f", file], check=True)
    return file


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    with Upstream() as running:
        yield running


def public(pair: Path) -> str:
    return pair.with_suffix(".pub").read_text()


def paste(person: Person, text: str, name: str) -> None:
    person.page.get_by_label("Public key").fill(text)
    person.page.get_by_label("What to call it").fill(name)
    person.click("Add the key")


def test_a_public_key_is_pasted_named_and_removed(
    person: Person, harbour: Gateway, account: MakeAccount, pair: Path
) -> None:
    name = account()
    person.log_in(name)
    paste(person, public(pair), f"{name}-laptop")
    person.sees("Your key is in.")
    line = person.page.get_by_role("listitem").filter(has_text=f"{name}-laptop")
    fingerprint = subprocess.run(["ssh-keygen", "-lf", pair], check=True, capture_output=True, text=True).stdout.split()
    expect(line).to_contain_text(fingerprint[1])
    expect(line).to_contain_text(f"may publish {name}-*")
    assert fingerprint[1] in harbour.cli("key", "list", "--account", name)
    person.click(f"Remove the key {name}-laptop")
    person.sees("That key opens nothing any more.")
    expect(line).to_have_count(0)
    assert "no keys yet" in harbour.cli("key", "list", "--account", name)


def test_a_private_key_is_refused_on_the_page_and_stands_nowhere(
    person: Person, harbour: Gateway, account: MakeAccount, pair: Path
) -> None:
    person.log_in(account())
    paste(person, pair.read_text(), "laptop")
    expect(person.page.get_by_role("alert").first).to_contain_text("That is a private key")
    expect(person.page.get_by_label("Public key")).to_have_value("")
    expect(person.page.get_by_label("What to call it")).to_have_value("laptop")
    secret = pair.read_text().splitlines()[2]
    assert secret not in person.page.content()
    kept = [file for file in harbour.state.rglob("*") if file.is_file() and secret.encode() in file.read_bytes()]
    assert kept == []


def test_keys_have_room_on_a_phone(chromium: Chromium, account: MakeAccount, pair: Path) -> None:
    name = account()
    with chromium.person(viewport={"width": 360, "height": 740}) as phone:
        phone.log_in(name)
        paste(phone, public(pair), f"{name}-phone")
        phone.sees("Your key is in.")
        assert phone.page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
        assert phone.complaints == []


class Caller:
    """OpenSSH's client with a key that the gateway may not know. `said` is what it shows."""

    def __init__(self, gateway: Gateway, pair: Path, forward: str) -> None:
        known = ("-o", f"UserKnownHostsFile={pair.parent / 'known_hosts'}", "-o", "StrictHostKeyChecking=no")
        quiet = ("-o", "ExitOnForwardFailure=yes", "-o", "IdentitiesOnly=yes")
        address = ("-p", str(gateway.ssh_port), "-R", forward, "127.0.0.1")
        self._process = subprocess.Popen(
            ["ssh", "-F", "none", "-N", "-i", pair, *known, *quiet, *address],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        assert self._process.stdout
        self._output = Output(self._process.stdout)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(PATIENCE)
        self._output.close()

    def ended(self) -> bool:
        return self._process.wait(PATIENCE) != 0

    def link(self) -> str:
        """The address of the page that lets the key in, as the terminal shows it."""
        return self._output.wait_for_line(r"https://\S+/ssh/\S+")[0]


def test_an_unknown_key_is_let_in_by_whoever_logs_in_behind_its_link(
    person: Person, harbour: Gateway, account: MakeAccount, pair: Path, upstream: Upstream
) -> None:
    name = account()
    with Caller(harbour, pair, f"{name}-draft:80:127.0.0.1:{upstream.port}") as caller:
        person.page.goto(caller.link())
        person.sees("to let an SSH key in")
        person.fill_login(name)
        person.sees("Let this key in?")
        person.sees(f"-R {name}-draft:80")
        person.sees("127.0.0.1")
        fingerprint = subprocess.run(["ssh-keygen", "-lf", pair], check=True, capture_output=True, text=True).stdout
        person.sees(fingerprint.split()[1])
        person.click("Let it in")
        person.sees("The key is in, and its connection goes on.")
        person.arrives("auth", "/?news=approved")
        tunnel = person.page.get_by_role("listitem").filter(has_text=f"with the key {name}")
        wait_for(lambda: person.page.reload() and tunnel.count(), "the tunnel to stand")
        wait_for(lambda: f"{name}-draft" in harbour.cli("services"), "the service to be published")
        person.open(f"{name}-draft", "/page")
        person.sees(upstream.secret)
        person.open("auth")
        person.click(f"Remove the key {name}")
        person.sees("That key opens nothing any more.")
        wait_for(lambda: person.page.reload() and not tunnel.count(), "the tunnel to be cut")
        assert caller.ended()


def test_an_unknown_key_may_be_turned_away(person: Person, harbour: Gateway, account: MakeAccount, pair: Path) -> None:
    name = account()
    person.log_in(name)
    with Caller(harbour, pair, f"{name}-draft:80:127.0.0.1:9") as caller:
        link = caller.link()
        person.page.goto(link)
        person.click("It was not me: turn it away")
        person.sees("That connection was turned away.")
        assert caller.ended()
        person.page.goto(link)
        person.sees("Nobody waits under this code")
    assert "no keys yet" in harbour.cli("key", "list", "--account", name)
