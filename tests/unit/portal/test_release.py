"""Getting free from a ban that was a mistake: with a passkey, with a mailed link, and not otherwise."""

import re
from collections.abc import Collection
from datetime import timedelta
from pathlib import Path

import httpx
from tests.unit.host.mail_server import MailServer
from tests.unit.identity.authenticator import SecurityKey
from tests.unit.portal.browser import Browser
from tests.unit.portal.world import AUTH, World

from portward.facts import MailFailed, ReleaseRefused, SourceReleased

HERE = "203.0.113.7"
PLACE = f"{AUTH}/.portward/release"


async def shut_out(world: World, source: str = HERE, by: str = "detector") -> None:
    await world.ledger.ban(source, for_=timedelta(days=365), reason="unknown-host", by=by)


async def is_banned(world: World, address: str = HERE) -> bool:
    return bool(await world.ledger.find(address))


def allow(world: World, ways: Collection[str] = ("passkey", "mail"), server: MailServer | None = None) -> None:
    world.configure(defence={"release": list(ways)}, **({"mail": server.table} if server else {}))


async def passkey_of(world: World, name: str = "ann") -> SecurityKey:
    await world.member(name)
    await world.identity.accounts.change(name, by="cli", email=f"{name}@example.com")
    key, account = SecurityKey(AUTH), await world.identity.accounts.get(name)
    made = key.make(await world.identity.passkeys.offer(account, "s"))
    await world.identity.passkeys.add(account, "s", "phone", made)
    return key


async def touch(browser: Browser, key: SecurityKey, *, verified: bool = True) -> httpx.Response:
    asked = (await browser.post(f"{PLACE}/ask", {"way": "passkey"})).json()
    return await browser.post(f"{PLACE}/passkey", {"passkey": key.show(asked, verified=verified)})


def test_a_passkey_frees_the_source_and_the_record_says_whose(play) -> None:
    async def scenario(world: World) -> None:
        allow(world)
        key = await passkey_of(world)
        await shut_out(world)
        browser = world.browser(HERE)
        assert "You are shut out" in (await browser.get(PLACE)).text
        page = await touch(browser, key)
        assert (page.status_code, "free again" in page.text) == (200, True)
        assert not await is_banned(world)
        [fact] = [fact for fact in world.facts if isinstance(fact, SourceReleased)]
        assert (fact.account, fact.source, fact.way) == ("ann", HERE, "passkey")
        [lifted] = await world.ledger.history(HERE)
        assert lifted.lifted_by == "ann"
        assert (await browser.get(PLACE)).status_code == 404

    play(scenario)


def test_a_network_is_freed_whole(play) -> None:
    async def scenario(world: World) -> None:
        allow(world)
        key = await passkey_of(world)
        await shut_out(world, "2001:db8:0:7::/64")
        await touch(world.browser("2001:db8:0:7::23"), key)
        assert not await is_banned(world, "2001:db8:0:7::99")

    play(scenario)


def test_what_somebody_decided_stays(play) -> None:
    async def scenario(world: World) -> None:
        allow(world)
        key = await passkey_of(world)
        for by in ("cli", "ann", "import", "list:drop", "release"):
            await shut_out(world, by=by)
            browser = world.browser(HERE)
            assert (await browser.get(PLACE)).status_code == 404
            assert (await browser.post(f"{PLACE}/ask", {"way": "passkey"})).status_code == 404
            await world.ledger.lift(HERE, by="test")
        await shut_out(world)
        await shut_out(world, "203.0.113.0/24", by="cli")
        assert (await world.browser(HERE).post(f"{PLACE}/passkey", {"passkey": key.show(PRETENDED)})).status_code == 404
        assert await is_banned(world)

    play(scenario)


PRETENDED = {"rpId": "auth.example.com", "challenge": "AAAA"}


def test_nothing_of_it_is_there_unless_it_is_configured(play) -> None:
    async def scenario(world: World) -> None:
        await shut_out(world)
        browser = world.browser(HERE)
        assert (await browser.get(PLACE)).status_code == 404
        assert (await browser.post(f"{PLACE}/mail", {"username": "ann"})).status_code == 404
        allow(world, ["passkey"])
        assert "Mail me a link" not in (await browser.get(PLACE)).text
        assert (await browser.post(f"{PLACE}/mail", {"username": "ann"})).status_code == 404

    play(scenario)


def test_a_passkey_that_asked_for_nothing_frees_nobody(play) -> None:
    async def scenario(world: World) -> None:
        allow(world)
        key = await passkey_of(world)
        await shut_out(world)
        assert (await touch(world.browser(HERE), key, verified=False)).status_code == 422
        assert await is_banned(world)

    play(scenario)


def test_an_answer_for_one_address_frees_no_other(play) -> None:
    async def scenario(world: World) -> None:
        allow(world)
        key = await passkey_of(world)
        await shut_out(world)
        await shut_out(world, "198.51.100.9")
        asked = (await world.browser("198.51.100.9").post(f"{PLACE}/ask", {"way": "passkey"})).json()
        page = await world.browser(HERE).post(f"{PLACE}/passkey", {"passkey": key.show(asked)})
        assert page.status_code == 422
        assert await is_banned(world)

    play(scenario)


def test_after_five_tries_the_ban_is_final(play) -> None:
    async def scenario(world: World) -> None:
        allow(world)
        key = await passkey_of(world)
        await shut_out(world)
        browser = world.browser(HERE)
        pages = []
        for _ in range(6):
            world.later(minutes=10)
            pages.append(await browser.post(f"{PLACE}/passkey", {"passkey": "{}"}))
        assert [page.status_code for page in pages] == [422] * 5 + [403]
        [ban] = await world.ledger.find(HERE)
        assert ban.by == "release"
        assert (await browser.get(PLACE)).status_code == 404
        asked = await browser.post(f"{PLACE}/ask", {"way": "passkey"})
        assert asked.status_code == 404
        assert (await browser.post(f"{PLACE}/passkey", {"passkey": key.show(PRETENDED)})).status_code == 404
        assert [fact.reason for fact in world.facts if isinstance(fact, ReleaseRefused)] == ["passkey"] * 5 + ["often"]

    play(scenario)


def test_a_source_gets_free_three_times_a_day(play) -> None:
    async def scenario(world: World) -> None:
        allow(world)
        key = await passkey_of(world)
        for _ in range(3):
            await shut_out(world)
            assert (await touch(world.browser(HERE), key)).status_code == 200
        await shut_out(world)
        assert (await world.browser(HERE).get(PLACE)).status_code == 404
        world.later(hours=25)
        assert (await touch(world.browser(HERE), key)).status_code == 200

    play(scenario)


def link_in(server: MailServer, count: int = 1) -> str:
    found = re.search(r"https://\S+", server.wait_for(count).get_content())
    assert found
    return found[0]


def test_a_mailed_link_frees_the_source_once_and_only_when_the_button_is_pressed(play, tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        with MailServer(tmp_path) as server:
            allow(world, server=server)
            await passkey_of(world)
            await shut_out(world)
            browser = world.browser(HERE)
            await browser.post(f"{PLACE}/mail", {"username": "ANN"})
            link = link_in(server)
            assert server.taken[0]["To"] == "ann@example.com"
            assert HERE in server.taken[0].get_content()
            page = await browser.get(link)
            assert await is_banned(world)
            assert (await browser.submit(page)).status_code == 200
            assert not await is_banned(world)
            assert [fact.way for fact in world.facts if isinstance(fact, SourceReleased)] == ["mail"]
            await shut_out(world)
            assert (await browser.submit(page)).status_code == 422

    play(scenario)


def test_a_link_counts_at_the_address_that_asked_and_for_a_quarter_of_an_hour(play, tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        with MailServer(tmp_path) as server:
            allow(world, server=server)
            await passkey_of(world)
            await shut_out(world)
            await shut_out(world, "198.51.100.9")
            browser, elsewhere = world.browser(HERE), world.browser("198.51.100.9")
            await browser.post(f"{PLACE}/mail", {"username": "ann"})
            link = link_in(server)
            assert (await elsewhere.submit(await elsewhere.get(link))).status_code == 422
            assert (await world.browser("192.0.2.1").get(link)).status_code == 404
            world.later(minutes=15)
            assert (await browser.submit(await browser.get(link))).status_code == 422
            assert await is_banned(world)

    play(scenario)


def test_nobody_learns_which_accounts_there_are(play, tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        with MailServer(tmp_path) as server:
            allow(world, server=server)
            await passkey_of(world)
            await passkey_of(world, "off")
            await world.identity.accounts.disable("off", by="cli")
            await world.member("unreached")
            answers = []
            for number, name in enumerate(("ann", "off", "unreached", "nobody", "<b>")):
                await shut_out(world, f"198.51.100.{number}")
                page = await world.browser(f"198.51.100.{number}").post(f"{PLACE}/mail", {"username": name})
                answers.append((page.status_code, page.text.replace(f"198.51.100.{number}", "")))
            assert [answer for answer in answers if answer != answers[0]] == []
            assert len(server.taken) == 1

    play(scenario)


def test_no_mailbox_is_filled_by_strangers(play, tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        with MailServer(tmp_path) as server:
            allow(world, server=server)
            await passkey_of(world)
            for number in range(6):
                await shut_out(world, f"198.51.100.{number}")
                await world.browser(f"198.51.100.{number}").post(f"{PLACE}/mail", {"username": "ann"})
            assert len(server.taken) == 3

    play(scenario)


def test_a_mail_that_was_not_taken_is_told_to_the_operator_alone(play, tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        with MailServer(tmp_path) as server:
            allow(world, server=server)
        await passkey_of(world)
        await shut_out(world)
        page = await world.browser(HERE).post(f"{PLACE}/mail", {"username": "ann"})
        assert page.status_code == 200
        [fact] = [fact for fact in world.facts if isinstance(fact, MailFailed)]
        assert "can't be reached" in fact.reason

    play(scenario)


def test_a_stolen_password_frees_nobody(play) -> None:
    async def scenario(world: World) -> None:
        allow(world)
        await passkey_of(world)
        await shut_out(world)
        page = await world.browser(HERE).get(PLACE)
        assert 'type="password"' not in page.text
        assert 'action="/login"' not in page.text

    play(scenario)
