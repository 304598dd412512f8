"""What the keeper writes for the program `tunnels` is what that program reads."""

from datetime import UTC, datetime, timedelta

import pytest

from portward.errors import Invalid
from portward.tunnels.rules import AuthorityRule, KeyRule, Policy, Rules, ServiceRule, read, spell

_FULL = Rules(
    policy=Policy(listen=(("::1", 22), ("", 443)), naming="any", hold=timedelta(milliseconds=1500), own=("10.0.0.1",)),
    keys=(
        KeyRule(
            name="laptop",
            account="ann",
            fingerprint="SHA256:x",
            public="ssh-ed25519 AAAA",
            publish=("blog", "ann-*"),
            reach=("*.lab:22", "10.0.0.0/8:22"),
            sources=("192.0.2.0/24",),
            expires_at=datetime(2030, 1, 1, tzinfo=UTC),
            deadline=timedelta(hours=8),
        ),
        KeyRule(name="plain", account="ben", fingerprint="SHA256:y", public="ssh-ed25519 BBBB"),
    ),
    services=(ServiceRule(name="blog", host="blog.example.com", port=3000, balance=True),),
    authorities=(AuthorityRule(name="hq", fingerprint="SHA256:z", public="ssh-ed25519 CCCC"),),
    accounts=("ann",),
    taken=("wiki",),
)


@pytest.mark.parametrize("rules", [_FULL, Rules()])
def test_rules_come_back_as_they_were_written(rules: Rules) -> None:
    assert read(spell(rules)) == rules


@pytest.mark.parametrize("document", [b"", b"[]", b"{}", b'{"policy": 1}', spell(_FULL).replace(b'"hold"', b'"hodl"')])
def test_a_document_that_is_no_rules_is_refused(document: bytes) -> None:
    with pytest.raises(Invalid, match="can't be read"):
        read(document)
