from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from portward.identity.access import Allow, Challenge, Deny, decide, may
from portward.model import Access, Account, Role, Session

NOW = datetime(2026, 3, 1, tzinfo=UTC)
DAY = timedelta(hours=24)
WORDS = st.sampled_from(["ann", "bob", "family", "work"])
ACCESSES = st.builds(
    Access,
    public=st.booleans(),
    members=st.booleans(),
    owners=st.booleans(),
    groups=st.frozensets(WORDS),
    accounts=st.frozensets(WORDS),
    second_factor=st.booleans(),
)
ACCOUNTS = st.builds(
    Account,
    name=WORDS,
    role=st.sampled_from(Role),
    groups=st.frozensets(WORDS),
    disabled=st.booleans(),
    has_totp=st.booleans(),
)
MOMENTS = st.timedeltas(min_value=timedelta(days=-3), max_value=timedelta(days=3)).map(lambda delta: NOW + delta)
SESSIONS = st.builds(
    Session,
    id=st.just("s"),
    account=WORDS,
    created_at=st.just(NOW - DAY),
    seen_at=st.just(NOW),
    expires_at=MOMENTS,
    second_factor_at=st.none() | MOMENTS,
)


def session(**changes: object) -> Session:
    whole = Session("s", "ann", NOW - DAY, NOW, NOW + DAY)
    return replace(whole, **changes)  # type: ignore[arg-type]


@given(ACCESSES, ACCOUNTS)
def test_a_disabled_account_opens_what_a_stranger_opens(access: Access, account: Account) -> None:
    assert may(replace(account, disabled=True), access) == may(None, access) == access.public


@given(ACCESSES, ACCOUNTS)
def test_taking_a_group_away_never_opens_anything(access: Access, account: Account) -> None:
    assert may(account, access) or not may(replace(account, groups=frozenset()), access)


@given(ACCOUNTS, st.booleans())
def test_a_rule_that_names_nobody_lets_nobody_in(account: Account, second_factor: bool) -> None:
    assert not may(account, Access(second_factor=second_factor))


@given(st.none() | ACCOUNTS, st.none() | SESSIONS, ACCESSES)
def test_whoever_passes_a_closed_door_has_a_live_session_of_an_account_that_may(
    account: Account | None, visit: Session | None, access: Access
) -> None:
    if isinstance(decide(account, visit, access, NOW, DAY), Allow) and (not access.public or access.second_factor):
        assert account is not None
        assert visit is not None
        assert visit.account == account.name
        assert visit.expires_at > NOW
        assert may(account, access)
        assert not account.disabled
        assert not access.second_factor or visit.second_factor_at is not None


@given(st.none() | ACCOUNTS, st.none() | SESSIONS, ACCESSES)
def test_asking_for_a_second_factor_never_lets_more_in(
    account: Account | None, visit: Session | None, access: Access
) -> None:
    strict, lax = replace(access, second_factor=True), replace(access, second_factor=False)
    if isinstance(decide(account, visit, strict, NOW, DAY), Allow):
        assert isinstance(decide(account, visit, lax, NOW, DAY), Allow)


def test_a_stranger_is_asked_to_log_in() -> None:
    assert decide(None, None, Access(members=True), NOW, DAY) == Challenge("login")


def test_a_member_of_another_group_is_denied_and_not_asked_to_log_in_again() -> None:
    ann = Account("ann", groups=frozenset({"work"}))
    assert decide(ann, session(), Access(groups=frozenset({"family"})), NOW, DAY) == Deny("access")


def test_an_owner_opens_nothing_by_being_an_owner_alone() -> None:
    assert not may(Account("ann", role=Role.OWNER), Access(groups=frozenset({"family"})))
    assert may(Account("ann", role=Role.OWNER), Access(owners=True))


def test_a_second_factor_that_is_a_day_old_counts_no_more() -> None:
    access, ann = Access(members=True, second_factor=True), Account("ann", has_totp=True)
    assert decide(ann, session(second_factor_at=NOW - DAY), access, NOW, DAY) == Challenge("second-factor")
    assert decide(ann, session(second_factor_at=NOW - DAY + timedelta(seconds=1)), access, NOW, DAY) == Allow()


def test_an_account_without_totp_is_asked_to_set_it_up() -> None:
    answer = decide(Account("ann"), session(), Access(members=True, second_factor=True), NOW, DAY)
    assert answer == Challenge("enrol-second-factor")
