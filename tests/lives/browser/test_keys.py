"""Somebody's own SSH keys: pasted, shown, removed, on a screen and on a phone."""

import subprocess
from pathlib import Path

import pytest
from playwright.sync_api import expect
from tests.lives.browser.chromium import Chromium
from tests.lives.browser.conftest import MakeAccount
from tests.lives.browser.person import Person
from tests.lives.gateway import Gateway


@pytest.fixture
def pair(tmp_path: Path) -> Path:
    """A fresh pair of keys: the private one's file."""
    file = tmp_path / "id_ed25519"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "ann@laptop", "-f", file], check=True)
    return file


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
