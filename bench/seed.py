"""A store as a busy gateway has it, and the networks that it keeps out: stand-ins, made before the start.

token = asyncio.run(seed(State(Path("state")), sessions=100_000))       # opens HOST, as after a real login
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address, IPv6Address

from bench.stage import HOST
from portward.host.paths import State
from portward.identity.opaque import host_key, new_id, new_token
from portward.model import Account, HostSession, Session
from portward.store import Store, migrate

SESSIONS_OF_ONE = 100
"""How many sessions each account has."""
DAY = timedelta(days=1)


async def seed(state: State, sessions: int) -> str:
    """Fill the store with accounts that are logged in. Returns the token of one of them at HOST."""
    state.prepare()
    await migrate(state.database)
    now = datetime.now(UTC)
    token = new_token()
    async with Store.open(state.database) as store:
        for number in range(0, sessions, SESSIONS_OF_ONE):
            account = Account(f"visitor{number}", email=f"visitor{number}@example.com", created_at=now)
            await store.accounts.add(account)
            logged_in = [_session(account.name, now) for _ in range(SESSIONS_OF_ONE)]
            tokens = [token if number == 0 and not place else new_token() for place in range(SESSIONS_OF_ONE)]
            await store.sessions.add_many(
                [(session, new_token()) for session in logged_in],
                [
                    HostSession(host_key(own, HOST), session.id, HOST, now)
                    for session, own in zip(logged_in, tokens, strict=True)
                ],
            )
    return token


def _session(account: str, now: datetime) -> Session:
    return Session(new_id(), account, created_at=now, seen_at=now, expires_at=now + 30 * DAY, address="192.0.2.1")


def banned_addresses(count: int) -> Iterator[str]:
    """Single IPv4 addresses, spread over the room for private networks, where no test client is."""
    return (str(IPv4Address("10.0.0.0") + 37 * number) for number in range(count))


def foreign_networks(count: int) -> Iterator[str]:
    """Half of them IPv4 /24, half IPv6 /48: what a list of some countries looks like."""
    for number in range(count // 2):
        yield f"{IPv4Address('11.0.0.0') + 256 * number}/24"
        yield f"{IPv6Address('2a00::') + (number << 80)}/48"
