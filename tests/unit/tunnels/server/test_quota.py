from portward.tunnels.server.quota import AT_MOST, SECONDS, Quota


def test_a_source_is_told_of_so_often_and_again_after_a_minute() -> None:
    quota, what = Quota(), ("203.0.113.7", "unknown")
    assert [quota.spend(what, 1.0) for _ in range(AT_MOST + 2)] == [True] * AT_MOST + [False] * 2
    assert not quota.spend(what, SECONDS)
    assert quota.spend(what, SECONDS + 1.0)


def test_a_source_does_not_use_up_what_another_or_another_reason_may() -> None:
    quota = Quota()
    for _ in range(AT_MOST):
        quota.spend(("203.0.113.7", "unknown"), 1.0)
    assert quota.spend(("203.0.113.8", "unknown"), 1.0)
    assert quota.spend(("203.0.113.7", "silent"), 1.0)


def test_a_flood_of_sources_takes_no_more_room_than_a_thousand() -> None:
    quota = Quota()
    for number in range(5000):
        quota.spend((f"2001:db8:{number:x}::", "unknown"), 1.0)
    assert len(quota._told) <= 1000
