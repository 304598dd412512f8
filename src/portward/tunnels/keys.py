"""The keys of the store, as the SSH server is to know them.

key_rules(await store.keys.list(), await store.accounts.list())      # (KeyRule(name="laptop", account="ann", …),)
"""

from collections.abc import Iterable

from portward.model import Account, Key
from portward.tunnels.rules import KeyRule


def key_rules(keys: Iterable[Key], accounts: Iterable[Account]) -> tuple[KeyRule, ...]:
    """A rule for each key of an account that may log in, in the order of `keys`.

    One whose time is over is among them: the server tells an expired key from an unknown one, and has the clock.
    """
    welcome = {account.name for account in accounts if not account.disabled}
    return tuple(_rule(key) for key in keys if key.account in welcome)


def _rule(key: Key) -> KeyRule:
    return KeyRule(
        name=key.name,
        account=key.account,
        fingerprint=key.fingerprint,
        public=key.public,
        publish=key.publish,
        reach=key.reach,
        sources=key.sources,
        expires_at=key.expires_at,
        deadline=key.deadline,
    )
