"""What works on the host itself, without a running keeper: recover, migrate."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from portward.cli.options import CONFIG, STATE, ConfigFile, StateDirectory

if TYPE_CHECKING:
    from portward.config import Settings
    from portward.host.paths import State
    from portward.identity.identity import Identity
    from portward.store import Store

app = typer.Typer()


@app.command()
def recover(
    drop_second_factor: Annotated[
        str | None,
        typer.Option(
            "--drop-second-factor",
            metavar="ACCOUNT",
            help="Turn TOTP off, and forget the passkeys, of this account instead.",
        ),
    ] = None,
    config: ConfigFile = CONFIG,
    state: StateDirectory = STATE,
) -> None:
    """Get in again: print a new one-time link for an owner, or drop a lost second factor.

    Whoever may read the state directory may do this; it works whether Portward runs or not.
    """
    import asyncio

    place = existing(state)
    print(asyncio.run(_recover(place, settings_of(config, place), drop_second_factor)))


@app.command()
def migrate(state: StateDirectory = STATE) -> None:
    """Bring the store up to date. A snapshot is kept, and a failure changes nothing."""
    import asyncio

    from portward.store import migrate as migrated

    place = existing(state)
    changed = asyncio.run(migrated(place.database))
    print(f"{place.database} is up to date" if changed else f"{place.database} was up to date already")


def existing(state: Path) -> "State":
    """The state directory, where there is a store in it. Raises `Environment`."""
    from portward.errors import Environment
    from portward.host.paths import State

    place = State(state)
    if not place.database.exists():
        raise Environment(
            f"there is no store in {place.directory}",
            way_out="name the state directory with --state or PORTWARD_STATE; a first one is made by `portward up`",
        )
    return place


def settings_of(config: Path, place: "State") -> "Settings | None":
    """A mistake in the file must lock nobody out: then the last good one counts, as it does for the keeper."""
    from portward.config import read
    from portward.errors import ConfigError

    for file in (config, place.last_good):
        try:
            return read(file, state=place.directory)
        except ConfigError:
            continue
    return None


async def _recover(place: "State", settings: "Settings | None", account: str | None) -> str:
    from portward.identity.enrolments import path_of
    from portward.store import Store

    async with Store.open(place.database) as store:
        identity = _identity(store, place, settings)
        if account is not None:
            return await _drop_second_factor(identity, account)
        token = await identity.enrolments.owner_link()
    if settings is None:
        return (
            "The configuration has mistakes (`portward check` names them), so the host is yours to fill in. "
            f"An owner enrols here, once, within the hour:\n\n  https://auth.DOMAIN{path_of(token)}\n"
        )
    link = settings.url(settings.portal_host, path_of(token))
    return f"An owner enrols here, once, within the hour:\n\n  {link}\n"


async def _drop_second_factor(identity: "Identity", account: str) -> str:
    await identity.accounts.get(account)
    if await identity.credentials.drop_second_factor(account, by="cli"):
        return f"{account} logs in without a second factor now, and should turn TOTP on, or add a passkey, again"
    return f"{account} has no second factor"


def _identity(store: "Store", place: "State", settings: "Settings | None") -> "Identity":
    from datetime import UTC, datetime

    from portward.config import Settings
    from portward.facts import Fact
    from portward.identity.gatekeeper import NullGatekeeper
    from portward.identity.identity import Identity

    known = settings or Settings()

    async def record(fact: Fact) -> None:
        await store.events.add([fact])

    return Identity(store, place.secret, lambda: known, NullGatekeeper(), record, lambda: datetime.now(UTC))
