"""A flood of refusals is kept up to an allowance, for each source and for all."""

from portward.edge.allowance import Allowance


def kept(allowance: Allowance, source: str, count: int, now: float = 0.0) -> int:
    return sum(allowance.spend(source, now) for _ in range(count))


def test_a_burst_is_kept_up_to_its_size() -> None:
    assert kept(Allowance(burst=10), "scanner", 50) == 10


def test_one_source_does_not_use_up_what_others_may() -> None:
    allowance = Allowance(burst=10)
    kept(allowance, "scanner", 50)
    assert kept(allowance, "visitor", 5) == 5


def test_an_allowance_grows_again_with_time() -> None:
    allowance = Allowance(burst=10, per_second=2)
    kept(allowance, "scanner", 50)
    assert kept(allowance, "scanner", 50, now=3.0) == 6
    assert kept(allowance, "scanner", 50, now=3600.0) == 10


def test_many_sources_together_have_one_allowance_too() -> None:
    allowance = Allowance(burst_of_all=100)
    assert sum(kept(allowance, f"scanner{number}", 5) for number in range(50)) == 100
