"""Passkeys in Chromium, with the authenticator that its developer tools make (WebAuthn level 2, section 11)."""

from typing import Any

from playwright.sync_api import expect
from tests.lives.browser.chromium import Chromium
from tests.lives.browser.conftest import MakeAccount
from tests.lives.browser.person import Person
from tests.lives.gateway import Gateway
from tests.lives.visitor import PASSWORD

_CANCELLED = "Nothing was done"


class SecurityKey:
    """An authenticator at somebody's browser. With `verifies` it asks for a finger, which is always the right one."""

    def __init__(self, person: Person, *, verifies: bool = True) -> None:
        self._cdp = person.context.new_cdp_session(person.page)
        self._cdp.send("WebAuthn.enable")
        options = {
            "protocol": "ctap2",
            "transport": "internal" if verifies else "usb",
            "hasResidentKey": verifies,
            "hasUserVerification": verifies,
            "isUserVerified": verifies,
            "automaticPresenceSimulation": True,
        }
        self._id = self._cdp.send("WebAuthn.addVirtualAuthenticator", {"options": options})["authenticatorId"]

    def contents(self) -> list[dict[str, Any]]:
        return list(self._cdp.send("WebAuthn.getCredentials", {"authenticatorId": self._id})["credentials"])

    def turn_back(self) -> None:
        """Become the copy that somebody took of it before it was ever used."""
        [credential] = self.contents()
        place = {"authenticatorId": self._id}
        self._cdp.send("WebAuthn.removeCredential", {**place, "credentialId": credential["credentialId"]})
        self._cdp.send("WebAuthn.addCredential", {**place, "credential": {**credential, "signCount": 1}})


def add_passkey(person: Person, name: str) -> None:
    """Where there is no second factor yet."""
    person.open("auth")
    person.click("Add a passkey")
    person.page.get_by_label("Password").fill(PASSWORD)
    person.click("Go on")
    person.page.get_by_label("What you call it").fill(name)
    person.click("Make the passkey")
    person.sees("Your recovery codes")
    person.click("I have kept them")
    person.sees(name)


def test_the_life_of_a_passkey(harbour: Gateway, person: Person, account: MakeAccount, chromium: Chromium) -> None:
    name = account()
    person.log_in(name)
    key = SecurityKey(person)
    add_passkey(person, "my phone")
    person.click("Log out")
    person.open("vault", "/gold?x=1#part-two")
    person.click("Log in with a passkey")
    person.arrives("vault", "/gold?x=1#part-two")
    harbour.wait_for_events(kind="LoggedIn", account=name, factors="passkey")
    with chromium.person() as elsewhere:
        elsewhere.open("auth", "/login")
        elsewhere.fill_login(name)
        elsewhere.sees("Show one of your passkeys")
    person.open("auth")
    person.page.get_by_role("link", name="Rename my phone").click()
    person.page.get_by_label("What you call it").fill("old phone")
    person.click("Rename it")
    person.page.get_by_role("link", name="Remove old phone").click()
    person.click("Remove it")
    person.sees("That passkey opens nothing any more")
    person.click("Log out")
    assert len(key.contents()) == 1
    person.click("Log in with a passkey")
    person.sees("That passkey opens nothing here")
    harbour.wait_for_events(kind="LoginFailed", reason="passkey")


def test_a_security_key_without_a_pin_is_the_second_factor_after_the_password(
    harbour: Gateway, person: Person, account: MakeAccount
) -> None:
    name = account()
    person.log_in(name)
    SecurityKey(person, verifies=False)
    add_passkey(person, "blue key")
    person.sees("Second factor only")
    person.click("Log out")
    person.open("vault")
    person.fill_login(name)
    person.click("Use a passkey")
    person.arrives("vault")
    harbour.wait_for_events(kind="LoggedIn", account=name, factors="password+passkey")


def test_the_copy_of_a_passkey_is_refused(harbour: Gateway, person: Person, account: MakeAccount) -> None:
    name = account()
    person.log_in(name)
    key = SecurityKey(person)
    add_passkey(person, "laptop")
    for _ in range(3):
        person.click("Log out")
        person.click("Log in with a passkey")
        person.sees("Your passkeys")
    person.click("Log out")
    key.turn_back()
    person.click("Log in with a passkey")
    person.sees("That passkey opens nothing here")
    harbour.wait_for_events(kind="LoginFailed", account=name, reason="passkey-copied")


def test_no_service_can_ask_for_the_passkeys_of_the_portal(person: Person, account: MakeAccount) -> None:
    person.log_in(account())
    SecurityKey(person)
    add_passkey(person, "phone")
    person.open("open")
    for host in (f"auth.{person.gateway.domain}", person.gateway.domain, f"open.{person.gateway.domain}"):
        failed = person.page.evaluate(
            """rpId => navigator.credentials.get({ publicKey: { rpId, challenge: new Uint8Array(32), timeout: 500 } })
               .then(() => "given", error => error.name)""",
            host,
        )
        assert failed in ("SecurityError", "NotAllowedError")


def test_somebody_without_a_passkey_is_told_so_and_can_go_on(person: Person, account: MakeAccount) -> None:
    name = account()
    SecurityKey(person)
    person.open("auth", "/login")
    person.click("Log in with a passkey")
    person.sees(_CANCELLED)
    expect(person.page.get_by_role("button", name="Log in with a passkey")).to_be_enabled()
    person.fill_login(name)
    person.sees("Your services")
