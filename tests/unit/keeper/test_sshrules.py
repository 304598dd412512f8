"""Settings, keys and accounts become the rules of the SSH server."""

from datetime import timedelta
from typing import Any

from portward.config import Settings
from portward.config.publickeys import PublicKey
from portward.keeper.sshrules import rules_of
from portward.model import Account, Key
from portward.tunnels.rules import Rules, ServiceRule, read, spell

ANN = Key("laptop", "ann", "ssh-ed25519 AAAA", "SHA256:ann", publish=("ann-*",))


def ruled(*keys: Key, accounts: tuple[Account, ...] = (Account("ann"),), **tables: Any) -> Rules:
    settings = Settings.model_validate({"domain": "example.com", "listen": {"public-port": 443}, **tables})
    signers = {"/ca.pub": [PublicKey("ssh-ed25519 CCCC", "SHA256:ca", "our ca")]}
    rules = rules_of(settings, keys, accounts, own=("192.0.2.7",), signers=signers)
    assert read(spell(rules)) == rules
    return rules


def test_the_policy_is_that_of_the_file() -> None:
    tunnels = {"listen": [":22", "[::1]:2222"], "naming": "any", "hold": "3s", "approve-unknown-keys": True}
    policy = ruled(tunnels=tunnels, defence={"allow": ["203.0.113.9"], "deny": ["198.51.100.0/24"]}).policy
    assert policy.listen == (("", 22), ("::1", 2222))
    assert (policy.domain, policy.public_port, policy.portal) == ("example.com", 443, "https://auth.example.com")
    assert (policy.naming, policy.hold, policy.approve_unknown_keys) == ("any", timedelta(seconds=3), True)
    assert (policy.allow, policy.deny, policy.own) == (("203.0.113.9/32",), ("198.51.100.0/24",), ("192.0.2.7",))


def test_only_services_that_dial_in_are_told() -> None:
    services = {
        "wiki": {"upstream": "demo"},
        "blog": {"tunnel": True, "host": "blog.example.org", "balance": True},
        "hooks": {"tunnel": 3000},
        "db": {"kind": "tcp", "tunnel": True, "listen": 5432, "allow": ["10.0.0.0/8"]},
    }
    assert ruled(services=services).services == (
        ServiceRule(name="blog", host="blog.example.org", url="https://blog.example.org", balance=True),
        ServiceRule(name="hooks", host="hooks.example.com", url="https://hooks.example.com", port=3000),
        ServiceRule(name="db", host="db.example.com", url="db.example.com:5432", kind="tcp", public_port=5432),
    )


def test_names_and_hosts_of_other_services_can_not_be_made_on_the_spot() -> None:
    services = {
        "wiki": {"upstream": "demo", "host": "docs.example.com"},
        "far": {"upstream": "demo", "host": "far.example.org"},
        "blog": {"tunnel": True},
        "db": {"kind": "tcp", "upstream": "tcp://10.0.0.7:1", "listen": 1, "allow": ["10.0.0.0/8"]},
    }
    assert ruled(services=services).taken == ("auth", "db", "docs", "far", "wiki")


def test_the_keys_of_a_disabled_account_are_not_told() -> None:
    rules = ruled(ANN, accounts=(Account("ann", disabled=True), Account("eve")))
    assert rules.keys == ()
    assert rules.accounts == ("eve",)
    assert [key.name for key in ruled(ANN).keys] == ["laptop"]


def test_an_authority_without_a_readable_key_lets_nobody_in() -> None:
    there = {"file": "/ca.pub", "publish": ["lab-*"], "reach": ["*.lab:22"], "from": ["10.0.0.0/8"]}
    rules = ruled(tunnels={"authorities": [there, {"file": "/gone.pub"}]})
    (authority,) = rules.authorities
    assert (authority.name, authority.fingerprint, authority.public) == ("our ca", "SHA256:ca", "ssh-ed25519 CCCC")
    assert (authority.publish, authority.reach, authority.sources) == (("lab-*",), ("*.lab:22",), ("10.0.0.0/8",))
