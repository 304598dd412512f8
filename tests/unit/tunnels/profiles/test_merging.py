"""Tunnels that come in under names that are taken."""

import pytest

from portward.errors import Conflict
from portward.tunnels.profiles.merging import merge
from portward.tunnels.profiles.profile import Profile

WORK, HOME = Profile("work", "a"), Profile("home", "b")


def names(*profiles: Profile, taken: set[str], replace: bool = False, rename: bool = False) -> list[str]:
    return [profile.name for profile in merge(taken, profiles, replace=replace, rename=rename)]


def test_free_names_are_kept() -> None:
    assert names(WORK, HOME, taken={"other"}) == ["work", "home"]


def test_a_taken_name_is_refused_with_every_other_that_is() -> None:
    with pytest.raises(Conflict, match="already: work, home"):
        names(WORK, HOME, taken={"work", "home"})


def test_two_of_one_name_are_refused_too() -> None:
    with pytest.raises(Conflict, match="work"):
        names(WORK, WORK, taken=set())


def test_the_new_one_may_replace_the_old() -> None:
    assert names(WORK, taken={"work"}, replace=True) == ["work"]
    assert names(WORK, WORK, taken={"work"}, replace=True) == ["work", "work 2"]


def test_the_new_one_may_stand_beside_the_old() -> None:
    assert names(WORK, WORK, HOME, taken={"work", "work 2"}, rename=True) == ["work 3", "work 4", "home"]


def test_a_long_name_has_room_for_its_number() -> None:
    (name,) = names(Profile("x" * 100, "a"), taken={"x" * 100}, rename=True)
    assert name == "x" * 95 + " 2"
