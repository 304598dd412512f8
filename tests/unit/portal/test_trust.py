"""The page that helps to trust the gateway's own authority."""

import pytest
from cryptography import x509
from tests.unit.portal.world import AUTH, PASSWORD, ROOT, World

from portward.config import Settings
from portward.pki.minting import fingerprint

FILE = f"{AUTH}/trust/portward-root.crt"


def test_the_page_shows_the_fingerprint_the_way_for_each_system_and_the_file(play) -> None:
    async def scenario(world: World) -> None:
        await world.member()
        browser = await world.logged_in()
        assert 'href="/trust"' in (await browser.get(f"{AUTH}/")).text
        page = (await browser.get(f"{AUTH}/trust")).text
        root = x509.load_pem_x509_certificate(ROOT)
        assert fingerprint(root)[:47] in page
        assert fingerprint(root)[48:] in page
        for system in ("Windows", "macOS", "iPhone", "Android", "Firefox"):
            assert f"<summary>{system}" in page
        got = await browser.get(FILE)
        assert x509.load_der_x509_certificate(got.content) == root
        assert got.headers["content-type"] == "application/x-x509-ca-cert"

    play(scenario)


@pytest.mark.parametrize("address", [f"{AUTH}/trust", FILE])
def test_strangers_are_led_to_the_login(play, address: str) -> None:
    async def scenario(world: World) -> None:
        answer = await world.browser().get(address)
        assert answer.status_code == 303
        assert answer.headers["location"] == "/login"

    play(scenario)


def test_home_does_not_speak_of_it_where_certificates_come_from_files(play) -> None:
    async def scenario(world: World) -> None:
        world.settings = Settings.model_validate({"domain": "example.com", "tls": {"mode": "files"}})
        await world.identity.accounts.add_with_password("ann", PASSWORD, by="test")
        browser = await world.logged_in()
        assert "/trust" not in (await browser.get(f"{AUTH}/")).text

    play(scenario)
