"""What an authority may answer: limits, refused nonces, profiles, wishes for renewal; and what becomes of accounts."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest
from cryptography import x509
from tests.unit.pki.acme.authority import Answer, FakeAuthority, problem

from portward.pki.acme import renewal
from portward.pki.acme.accounts import Accounts
from portward.pki.acme.alpn import challenge_certificate
from portward.pki.acme.job import Authority, Job, Wanted
from portward.pki.acme.network import NONCES, Client
from portward.pki.acme.order import Order
from portward.pki.acme.troubles import Interrupted, Limited, Refused
from portward.pki.authority import Authority as LocalAuthority

NOW = datetime.now(UTC)
WANTED = Wanted("wiki.example.com", "wiki.example.com")


@pytest.fixture
def fake() -> Iterator[FakeAuthority]:
    with FakeAuthority() as running:
        yield running


@pytest.fixture
def accounts(tmp_path: Path) -> Accounts:
    return Accounts(tmp_path / "accounts")


def entered(fake: FakeAuthority, accounts: Accounts, **more: str) -> Client:
    return accounts.enter(Authority(fake.directory, **more), "ann@example.com")


def ordered(client: Client, home: Path, **more: str) -> Order:
    return Order.open(client, home, WANTED, Job(task="issue", directory="", **more))


def test_a_rate_limit_says_when_to_come_back(fake: FakeAuthority, accounts: Accounts, tmp_path: Path) -> None:
    client = entered(fake, accounts)
    fake.answers["POST /order"] = problem("rateLimited", 429, Retry_After="120")
    with pytest.raises(Limited, match="said rateLimited") as raised:
        ordered(client, tmp_path / "order")
    assert raised.value.retry_after == 120


def test_a_date_is_understood_as_well(fake: FakeAuthority, accounts: Accounts, tmp_path: Path) -> None:
    client = entered(fake, accounts)
    later = format_datetime(NOW + timedelta(minutes=10), usegmt=True)
    fake.answers["POST /order"] = problem("rateLimited", 429, Retry_After=later)
    with pytest.raises(Limited) as raised:
        ordered(client, tmp_path / "order")
    assert 300 < raised.value.retry_after <= 600


def test_an_authority_in_trouble_is_asked_again_and_no_order_is_noted(
    fake: FakeAuthority, accounts: Accounts, tmp_path: Path
) -> None:
    client = entered(fake, accounts)
    fake.answers["POST /order"] = problem("serverInternal", 503)
    with pytest.raises(Interrupted):
        ordered(client, tmp_path / "order")
    assert [path.name for path in (tmp_path / "order").iterdir()] == ["key.pem"]


def test_refused_nonces_are_tried_anew_so_many_times_and_no_more(fake: FakeAuthority, accounts: Accounts) -> None:
    fake.answers["POST /account"] = problem("badNonce", 400)
    with pytest.raises(Interrupted, match=f"{NONCES} nonces"):
        entered(fake, accounts)
    assert fake.asked.count("POST /account") == NONCES
    assert fake.asked.count("HEAD /nonce") == 1


def test_the_key_is_kept_before_the_authority_hears_of_it(
    fake: FakeAuthority, accounts: Accounts, tmp_path: Path
) -> None:
    fake.answers["POST /account"] = problem("serverInternal", 500)
    with pytest.raises(Interrupted):
        entered(fake, accounts)
    (key,) = (tmp_path / "accounts").glob("*/key.pem")
    before = key.read_bytes()
    fake.answers["POST /account"] = Answer(200, {"status": "valid"}, {"Location": f"{fake.url}/account/1"})
    entered(fake, accounts)
    assert key.read_bytes() == before


def test_an_account_is_made_once(fake: FakeAuthority, accounts: Accounts) -> None:
    assert entered(fake, accounts).account == entered(fake, accounts).account == f"{fake.url}/account/1"
    assert fake.asked.count("POST /account") == 1


def test_a_rotation_that_was_cut_off_is_completed_where_the_authority_heard_of_it(
    fake: FakeAuthority, accounts: Accounts, tmp_path: Path
) -> None:
    client = entered(fake, accounts)
    fake.answers["POST /change"] = problem("serverInternal", 500)
    with pytest.raises(Interrupted):
        accounts.rotate(client)
    (following,) = (tmp_path / "accounts").glob("*/next.pem")
    new = following.read_bytes()
    entered(fake, accounts)  # it answers to the new key
    assert not following.exists()
    assert following.with_name("key.pem").read_bytes() == new


def test_a_rotation_that_the_authority_never_heard_of_is_dropped(
    fake: FakeAuthority, accounts: Accounts, tmp_path: Path
) -> None:
    client = entered(fake, accounts)
    (key,) = (tmp_path / "accounts").glob("*/key.pem")
    old = key.read_bytes()
    fake.answers["POST /change"] = problem("serverInternal", 500)
    with pytest.raises(Interrupted):
        accounts.rotate(client)
    fake.answers["POST /account"] = problem("accountDoesNotExist", 400)
    entered(fake, accounts)
    assert key.read_bytes() == old
    assert not key.with_name("next.pem").exists()


def test_an_external_account_that_is_missing_is_asked_for(fake: FakeAuthority, accounts: Accounts) -> None:
    fake.meta = {"externalAccountRequired": True}
    with pytest.raises(Refused, match="external account binding"):
        entered(fake, accounts)


def test_only_a_profile_that_is_offered_is_asked_for(fake: FakeAuthority, accounts: Accounts, tmp_path: Path) -> None:
    fake.meta = {"profiles": {"shortlived": "six days"}}
    client = entered(fake, accounts)
    with pytest.raises(Refused, match="it offers shortlived"):
        ordered(client, tmp_path / "order", profile="classic")
    fake.answers["POST /order"] = Answer(201, {}, {"Location": f"{fake.url}/order/1"})
    fake.answers["POST /order/1"] = Answer(200, {"status": "pending", "authorizations": []})
    assert ordered(client, tmp_path / "order", profile="shortlived").tasks() == []


@pytest.fixture
def pem(tmp_path: Path) -> bytes:
    """Some certificate that was issued by an authority."""
    (tmp_path / "local").mkdir()
    authority = LocalAuthority.open(tmp_path / "local", NOW)
    authority.cover(["wiki.example.com"], "example.com", NOW)
    return authority.issue("wiki.example.com", NOW)


def test_the_authoritys_own_wish_lies_within_its_window(fake: FakeAuthority, accounts: Accounts, pem: bytes) -> None:
    fake.more = {"renewalInfo": f"{fake.url}/renewal"}
    window = {"start": "2026-12-01T00:00:00Z", "end": "2026-12-03T00:00:00Z"}
    answer = Answer(200, {"suggestedWindow": window}, {"Retry-After": "21600"})
    fake.answers[f"GET /renewal/{renewal.identifier(pem)}"] = answer
    advice = renewal.ask(entered(fake, accounts), pem, NOW, 0.5)
    assert advice.renew_at == datetime(2026, 12, 2, tzinfo=UTC)
    assert advice.ask_at == NOW + timedelta(hours=6)


def test_without_ari_nobody_has_a_wish(fake: FakeAuthority, accounts: Accounts, pem: bytes) -> None:
    assert renewal.ask(entered(fake, accounts), pem, NOW, 0.5).renew_at is None


def test_a_window_that_makes_no_sense_is_told(fake: FakeAuthority, accounts: Accounts, pem: bytes) -> None:
    fake.more = {"renewalInfo": f"{fake.url}/renewal"}
    window = {"start": "2026-12-03T00:00:00Z", "end": "2026-12-01T00:00:00Z"}
    fake.answers[f"GET /renewal/{renewal.identifier(pem)}"] = Answer(200, {"suggestedWindow": window})
    with pytest.raises(Interrupted, match="window"):
        renewal.ask(entered(fake, accounts), pem, NOW, 0.5)


def test_a_renewal_says_which_certificate_it_replaces(
    fake: FakeAuthority, accounts: Accounts, pem: bytes, tmp_path: Path
) -> None:
    """RFC 9773 section 5; where the authority does not want to hear it, the order is made without."""
    fake.more = {"renewalInfo": f"{fake.url}/renewal"}
    client = entered(fake, accounts)
    (tmp_path / "current.pem").write_bytes(pem)
    fake.answers["POST /order"] = problem("alreadyReplaced", 409)
    wanted = Wanted(WANTED.name, WANTED.served, str(tmp_path / "current.pem"), renews=True)
    with pytest.raises(Refused, match="alreadyReplaced"):
        Order.open(client, tmp_path / "order", wanted, Job(task="issue", directory=""))
    assert fake.asked.count("POST /order") == 2


def test_a_renewal_identifier_is_the_one_of_the_standard() -> None:
    """The example of RFC 9773 section 4.1."""
    example = """-----BEGIN CERTIFICATE-----
MIIBQzCB66ADAgECAgUAh2VDITAKBggqhkjOPQQDAjAVMRMwEQYDVQQDEwpFeGFt
cGxlIENBMCIYDzAwMDEwMTAxMDAwMDAwWhgPMDAwMTAxMDEwMDAwMDBaMBYxFDAS
BgNVBAMTC2V4YW1wbGUuY29tMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEeBZu
7cbpAYNXZLbbh8rNIzuOoqOOtmxA1v7cRm//AwyMwWxyHz4zfwmBhcSrf47NUAFf
qzLQ2PPQxdTXREYEnKMjMCEwHwYDVR0jBBgwFoAUaYhba4dGQEHhs3uEe6CuLN4B
yNQwCgYIKoZIzj0EAwIDRwAwRAIge09+S5TZAlw5tgtiVvuERV6cT4mfutXIlwTb
+FYN/8oCIClDsqBklhB9KAelFiYt9+6FDj3z4KGVelYM5MdsO3pK
-----END CERTIFICATE-----
"""
    assert renewal.identifier(example.encode()) == "aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE"


def test_a_challenge_certificate_is_for_one_name_and_a_day() -> None:
    certificate = x509.load_pem_x509_certificate(challenge_certificate("wiki.example.com", "token.thumb", NOW))
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["wiki.example.com"]
    mark = certificate.extensions.get_extension_for_oid(x509.ObjectIdentifier("1.3.6.1.5.5.7.1.31"))
    assert mark.critical
