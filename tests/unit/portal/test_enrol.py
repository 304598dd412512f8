"""One-time links: the first owner, a new account, a forgotten password."""

from tests.unit.portal.world import AUTH, PASSWORD, World

from portward.model import Role


def test_the_first_owner_chooses_name_and_password_and_is_in(play) -> None:
    async def scenario(world: World) -> None:
        token, browser = await world.identity.enrolments.owner_link(), world.browser()
        page = await browser.get(f"{AUTH}/enrol?token={token}")
        assert "Make this gateway yours" in page.text
        assert "At least 10 characters" in page.text
        page = await browser.follow(await browser.submit(page, username="grace", new_password=PASSWORD))
        assert "Add a second factor" in page.text
        assert "Not now" in page.text
        assert (await world.identity.accounts.get("grace")).role is Role.OWNER
        assert "Your services" in (await browser.get(f"{AUTH}/")).text

    play(scenario)


def test_a_weak_password_or_a_bad_name_is_explained_and_the_link_stays_good(play) -> None:
    async def scenario(world: World) -> None:
        token, browser = await world.identity.enrolments.owner_link(), world.browser()
        page = await browser.get(f"{AUTH}/enrol?token={token}")
        weak = await browser.submit(page, username="grace", new_password="password123")
        assert weak.status_code == 422
        assert "too easy to guess" in weak.text
        assert 'value="grace"' in weak.text
        assert "password123" not in weak.text
        bad = await browser.submit(page, username="Grace Hopper!", new_password=PASSWORD)
        assert bad.status_code == 422
        assert (await browser.submit(page, username="grace", new_password=PASSWORD)).status_code == 303

    play(scenario)


def test_an_invited_account_keeps_its_name(play) -> None:
    async def scenario(world: World) -> None:
        token = await world.identity.accounts.add("ann", by="test")
        browser = world.browser()
        page = await browser.get(f"{AUTH}/enrol?token={token}")
        assert 'value="ann" autocomplete="username" readonly' in page.text
        page = await browser.follow(await browser.submit(page, username="root", new_password=PASSWORD))
        assert [account.name for account in await world.identity.accounts.list()] == ["ann"]

    play(scenario)


def test_a_link_works_once(play) -> None:
    async def scenario(world: World) -> None:
        token = await world.identity.accounts.add("ann", by="test")
        browser = world.browser()
        page = await browser.get(f"{AUTH}/enrol?token={token}")
        assert (await browser.submit(page, new_password=PASSWORD)).status_code == 303
        for again in (
            await browser.get(f"{AUTH}/enrol?token={token}"),
            await browser.submit(page, new_password=PASSWORD),
        ):
            assert again.status_code == 410
            assert "used up" in again.text
        assert (await browser.get(f"{AUTH}/enrol?token=made-up")).status_code == 410

    play(scenario)


def test_looking_at_a_link_does_not_use_it(play) -> None:
    async def scenario(world: World) -> None:
        token = await world.identity.accounts.add("ann", by="test")
        for _ in range(3):
            assert (await world.browser().head(f"{AUTH}/enrol?token={token}")).status_code == 200
            assert (await world.browser().get(f"{AUTH}/enrol?token={token}")).status_code == 200

    play(scenario)


def test_a_reset_link_does_not_replace_the_second_factor(play) -> None:
    async def scenario(world: World) -> None:
        totp = await world.member_with_totp()
        token, browser = await world.identity.enrolments.reset("ann", by="test"), world.browser()
        page = await browser.get(f"{AUTH}/enrol?token={token}")
        assert "Choose a new password" in page.text
        page = await browser.submit(page, new_password="harbour violin basalt cloud")
        assert "One more step" in page.text
        assert browser.cookie("auth.example.com") is None
        page = await browser.follow(await browser.submit(page, code=totp.at(world.now)))
        assert "Your services" in page.text

    play(scenario)
