"""The pure rules: throttle, names, passwords, TOTP, recovery codes."""

import asyncio
from datetime import UTC, datetime, timedelta

import pyotp
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.identity.world import weigh

from portward.errors import Invalid
from portward.identity import names, recovery, throttle, totp
from portward.identity.opaque import host_key, new_token
from portward.identity.passwords import Passwords


def judge(password: str, hints: list[str]) -> str | None:
    return asyncio.run(Passwords(weigh=weigh).judge(password, hints))


COUNTS = st.integers(min_value=0, max_value=10**6)


@given(COUNTS, COUNTS)
def test_more_failures_never_mean_less_waiting(one: int, other: int) -> None:
    fewer, more = sorted((one, other))
    assert throttle.delay(fewer) <= throttle.delay(more) <= timedelta(minutes=5)
    assert throttle.hold(fewer) <= throttle.hold(more) <= timedelta(seconds=4)


def test_three_failures_are_free_and_then_the_delay_doubles() -> None:
    assert [throttle.delay(count).seconds for count in range(8)] == [0, 0, 0, 0, 1, 2, 4, 8]
    assert [throttle.hold(count).total_seconds() for count in range(4, 10)] == [0.25, 0.5, 1, 2, 4, 4]


def test_a_whole_ipv6_network_counts_as_one_source() -> None:
    assert throttle.source("2001:db8:1:2::5") == throttle.source("2001:db8:1:2:ffff::9") == "2001:db8:1:2::/64"
    assert throttle.source("2001:db8:1:3::5") != throttle.source("2001:db8:1:2::5")
    assert throttle.source("::ffff:192.0.2.1") == throttle.source("192.0.2.1") == "192.0.2.1"


@given(st.integers(min_value=0, max_value=9), st.text(" -\t", max_size=4), st.booleans())
def test_a_recovery_code_is_read_in_any_case_and_spacing(which: int, noise: str, upper: bool) -> None:
    code = recovery.new_codes()[which]
    typed = noise + noise.join(code) + noise
    assert recovery.normalised(typed.upper() if upper else typed) == code


@given(st.text(max_size=40))
def test_normalising_a_recovery_code_twice_changes_nothing(typed: str) -> None:
    once = recovery.normalised(typed)
    assert once is None or recovery.normalised(once) == once


def test_ten_recovery_codes_differ() -> None:
    assert len(set(recovery.new_codes())) == 10


@given(st.integers(min_value=0, max_value=4_000_000_000), st.integers(min_value=-200, max_value=200))
def test_a_totp_code_counts_one_step_around_its_own(moment: int, drift: int) -> None:
    secret, now = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP", datetime.fromtimestamp(moment + 300, UTC)
    code = pyotp.TOTP(secret).at(int(now.timestamp()) + drift)
    step = totp.step_of(secret, code, now)
    apart = abs((int(now.timestamp()) + drift) // 30 - int(now.timestamp()) // 30)
    if apart <= 1:
        assert step is not None
        assert abs(step - int(now.timestamp()) // 30) <= 1


def test_a_totp_code_of_two_minutes_ago_is_wrong() -> None:
    secret, now = totp.new_secret(), datetime(2026, 3, 1, tzinfo=UTC)
    codes = {pyotp.TOTP(secret).at(now + timedelta(seconds=offset)) for offset in (-30, 0, 30)}
    old = pyotp.TOTP(secret).at(now - timedelta(minutes=2))
    assert old in codes or totp.step_of(secret, old, now) is None


@pytest.mark.parametrize("typed", ["", "12345", "1234567", "abcdef", "١٢٣٤٥٦", "12345678901234567890"])
def test_what_is_not_six_digits_is_no_totp_code(typed: str) -> None:
    assert totp.digits_of(typed) is None


def test_a_totp_code_may_be_typed_with_a_space() -> None:
    assert totp.digits_of(" 123 456 ") == "123456"


def test_the_qr_code_names_account_and_issuer() -> None:
    assert totp.uri("ABC", "ann", "example.com") == ("otpauth://totp/example.com:ann?secret=ABC&issuer=example.com")


@pytest.mark.parametrize("name", ["", "Ann", "-ann", "ann smith", "a" * 33, "ann\n", "änn", "ann|owner", "../ann"])
def test_a_name_that_could_confuse_is_refused(name: str) -> None:
    with pytest.raises(Invalid):
        names.account_name(name)


@pytest.mark.parametrize("text", ["a\r\nRemote-User: owner", "a\x00", "a\u2028b", "a\u202eb", "x" * 65])
def test_a_display_name_that_could_forge_a_header_is_refused(text: str) -> None:
    with pytest.raises(Invalid):
        names.display_name(text, "ann")


@pytest.mark.parametrize(
    "email", ["ann", "ann@", "@example.com", "a b@example.com", "ann@exa..com", "ann@example.com\n."]
)
def test_what_is_no_address_is_refused(email: str) -> None:
    with pytest.raises(Invalid):
        names.email_address(email)


def test_an_address_is_kept_in_lower_case() -> None:
    assert names.email_address(" Ann@Example.COM ") == "ann@example.com"


@pytest.mark.parametrize(
    ("password", "why"),
    [
        ("short", "at least 10"),
        ("x" * 129, "at most 128"),
        ("🦊" * 128 + "x", "at most 128"),
        ("password1234", "too easy"),
        ("ann.example.com", "too easy"),
    ],
)
def test_a_weak_password_is_refused_with_a_sentence(password: str, why: str) -> None:
    sentence = judge(password, ["ann", "ann@example.com", "example.com"])
    assert sentence is not None
    assert why in sentence


def test_four_random_words_are_good_enough() -> None:
    assert judge("velvet anchor ninety crickets", ["ann"]) is None


def test_a_host_key_is_what_haproxy_computes() -> None:
    assert host_key("t0ken", "hello.example.com") == (
        "45F6606BEF43ED05FD4E8F0FCF19C7D576A94463CC9A011525304E7489645703"
    )


def test_a_token_holds_256_bits() -> None:
    assert len(new_token()) == 43
    assert new_token() != new_token()
