"""Which keys of the store the SSH server hears of."""

from datetime import UTC, datetime, timedelta

from portward.model import Account, Key
from portward.tunnels.keys import key_rules
from portward.tunnels.rules import KeyRule, Rules, read, spell

END = datetime(2026, 12, 31, tzinfo=UTC)
LAPTOP = Key(
    "laptop",
    "ann",
    "ssh-ed25519 AAAA",
    "SHA256:abc",
    "ann@laptop",
    ("ann-*",),
    ("db:5432",),
    ("192.0.2.0/24",),
    expires_at=END,
    deadline=timedelta(hours=8),
)


def test_the_ssh_server_is_told_all_that_a_key_may_do() -> None:
    (rule,) = key_rules([LAPTOP], [Account("ann")])
    assert rule == KeyRule(
        name="laptop",
        account="ann",
        fingerprint="SHA256:abc",
        public="ssh-ed25519 AAAA",
        publish=("ann-*",),
        reach=("db:5432",),
        sources=("192.0.2.0/24",),
        expires_at=END,
        deadline=timedelta(hours=8),
    )
    assert read(spell(Rules(keys=(rule,)))).keys == (rule,)


def test_the_keys_of_an_account_that_may_not_log_in_are_left_out() -> None:
    assert key_rules([LAPTOP], [Account("ann", disabled=True), Account("ben")]) == ()
