"""The judge: windows that slide, grow old, forgive, and never grow beyond what is allowed."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from portward.config.detectors import Detectors
from portward.defense.detectors import detectors_of
from portward.defense.judge import Judge, Verdict
from portward.defense.signs import Sign
from portward.facts import LoginFailed

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
STRANGER = "203.0.113.7"


def judge(**tables: Any) -> Judge:
    return Judge(detectors_of(Detectors.model_validate(tables)))


def sign(
    detector: str = "login",
    source: str = STRANGER,
    *,
    at: datetime = NOW,
    account: str = "",
    what: str = "",
    weight: int = 1,
) -> Sign:
    fact = LoginFailed(time=at, address=source.partition("/")[0], account=account, reason="password")
    return Sign(detector, source, account, fact, what, weight)


def feed(judge: Judge, *signs: Sign, now: datetime = NOW) -> list[Verdict]:
    return [verdict for one in signs if (verdict := judge.feed(one, now))]


def test_the_last_of_the_tries_is_the_one_too_many() -> None:
    of = judge(login={"tries": 3})
    assert feed(of, sign(), sign()) == []
    assert [verdict.sources for verdict in feed(of, sign())] == [(STRANGER,)]


def test_after_a_verdict_it_counts_from_the_beginning() -> None:
    of = judge(login={"tries": 3})
    assert len(feed(of, *[sign()] * 8)) == 2
    assert len(of) == 2


def test_what_is_older_than_the_window_does_not_count() -> None:
    of = judge(login={"tries": 2, "within": "10s"})
    assert feed(of, sign(at=NOW)) == []
    assert feed(of, sign(at=NOW + 11 * SECOND), now=NOW + 11 * SECOND) == []
    assert feed(of, sign(at=NOW), now=NOW + 12 * SECOND) == [], "it comes late, and is old already"
    assert feed(of, sign(at=NOW + 21 * SECOND), now=NOW + 21 * SECOND)


def test_a_time_in_the_future_counts_as_now() -> None:
    of = judge(login={"tries": 2, "within": "10s"})
    feed(of, sign(at=NOW + 1000 * SECOND))
    assert feed(of, sign(at=NOW + 20 * SECOND), now=NOW + 20 * SECOND) == []


def test_each_source_is_counted_on_its_own() -> None:
    of = judge(login={"tries": 2})
    assert feed(of, sign(source="203.0.113.7"), sign(source="203.0.113.8"), sign(source="2001:db8::/64")) == []


def test_the_same_thing_twice_counts_once() -> None:
    of = judge(token={"tries": 2})
    assert feed(of, *[sign("token", what="a")] * 50) == []
    assert feed(of, sign("token", what="b"))


def test_a_weighty_sign_counts_as_many() -> None:
    assert feed(judge(rate={"tries": 40}), sign("rate", weight=40))


def test_half_of_one_and_half_of_another_are_enough_together() -> None:
    of = judge(login={"tries": 4}, probe={"tries": 2})
    assert feed(of, sign(), sign()) == []
    (verdict,) = feed(of, sign("probe", what="/.env"))
    assert (verdict.detector.name, len(verdict.evidence)) == ("probe", 3)
    assert len(of) == 0


def test_errors_and_limits_add_to_nothing_else() -> None:
    of = judge(login={"tries": 2}, errors={"tries": 2}, rate={"tries": 2}, tls={"tries": 2}, slow={"tries": 2})
    assert feed(of, sign(), sign("errors"), sign("rate"), sign("tls"), sign("slow")) == []


def test_a_detector_in_shadow_adds_nothing_to_one_that_enforces() -> None:
    of = judge(login={"tries": 2}, probe={"tries": 2, "mode": "shadow"})
    assert feed(of, sign("probe", what="a"), sign()) == []
    assert feed(of, sign("probe", what="b"))[0].detector.mode == "shadow"


def test_many_addresses_that_try_one_account_are_all_found() -> None:
    of = judge(account={"tries": 3})
    sources = ("203.0.113.7", "198.51.100.9", "2001:db8::/64")
    (verdict,) = feed(of, *(sign("account", source, account="ann") for source in sources))
    assert (verdict.sources, verdict.account) == (sources, "ann")


def test_an_account_that_is_not_known_is_counted_nowhere() -> None:
    assert feed(judge(account={"tries": 1}), sign("account")) == []


def test_a_login_forgives_what_was_mistyped_for_this_account_from_there() -> None:
    of = judge(login={"tries": 3}, account={"tries": 3})
    feed(of, *(sign(name, account="ann") for name in ("login", "login", "account", "account")))
    of.forgive("ann", STRANGER)
    assert feed(of, *(sign(name, account="ann") for name in ("login", "login", "account", "account"))) == []


def test_a_login_forgives_no_guesses_at_others() -> None:
    of = judge(login={"tries": 3})
    feed(of, sign(account="bob"), sign())
    of.forgive("ann", STRANGER)
    of.forgive("bob", "198.51.100.9")
    assert feed(of, sign(account="bob"))


def test_evidence_is_the_newest_twenty_and_short() -> None:
    of = judge(login={"tries": 50})
    facts = [LoginFailed(time=NOW, address=STRANGER, reason=f"{number} " + "x" * 5000) for number in range(50)]
    (verdict,) = feed(of, *(Sign("login", STRANGER, "", fact) for fact in facts))
    reasons = [json.loads(line)["reason"] for line in verdict.evidence]
    assert [int(reason.partition(" ")[0]) for reason in reasons] == list(range(30, 50))
    assert max(map(len, reasons)) <= 200


def test_other_settings_keep_what_was_counted() -> None:
    of = judge(login={"tries": 9})
    feed(of, sign(), sign())
    of.follow(detectors_of(Detectors.model_validate({"login": {"tries": 3}})))
    assert feed(of, sign())


def test_what_is_switched_off_is_forgotten() -> None:
    of = judge(login={"tries": 3})
    feed(of, sign(), sign())
    of.follow(detectors_of(Detectors.model_validate({"login": {"mode": "off"}})))
    assert len(of) == 0


def test_current_counts_what_still_counts() -> None:
    of = judge(login={"within": "10s"})
    feed(of, sign(), sign(source="198.51.100.9"), sign(what="a"))
    assert (of.current("login", NOW), of.current("login", NOW + 11 * SECOND)) == (3, 0)


def test_a_flood_of_sources_pushes_out_the_oldest_and_takes_no_more_room() -> None:
    of = Judge(detectors_of(Detectors()), most=100)
    feed(of, sign(source="198.51.100.9"))
    for number in range(5000):
        feed(of, sign(source=f"10.0.{number >> 8}.{number & 255}"))
        assert len(of) <= 100
    feed(of, *[sign(source="10.0.19.135")] * 8)
    assert feed(of, sign(source="10.0.19.135")), "the newest were still counted"


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["login", "probe", "account", "errors", "unknown-host"]),
            st.sampled_from(["203.0.113.7", "203.0.113.8", "2001:db8::/64"]),
            st.sampled_from(["", "ann", "bob"]),
            st.sampled_from(["", "a", "b"]),
            st.integers(1, 5),
            st.integers(-700, 700),
        ),
        max_size=60,
    )
)
def test_nobody_is_sentenced_who_left_no_sign_and_the_count_stays_true(signs: list[tuple[Any, ...]]) -> None:
    of = Judge(detectors_of(Detectors.model_validate({"login": {"tries": 4}, "account": {"tries": 6}})), most=30)
    blamed: set[str] = set()
    for detector, source, account, what, weight, seconds in signs:
        blamed.add(source)
        at = NOW + seconds * SECOND
        for verdict in feed(of, sign(detector, source, at=at, account=account, what=what, weight=weight)):
            assert set(verdict.sources) <= blamed
            assert source in verdict.sources
        of.forgive(account, source.partition("/")[0])
        assert len(of) == sum(len(window.entries) for window in of._windows.values()) <= 30
