from portward.tunnels.client.backoff import delay


def test_the_first_tries_come_at_once_and_none_after_more_than_ten_seconds() -> None:
    assert delay(0, 1.0) <= 0.25
    assert delay(1, 1.0) <= 0.5
    assert all(delay(failures, 1.0) <= 10 for failures in (10, 1000, 10**9))


def test_each_wait_is_longer_until_the_longest() -> None:
    waits = [delay(failures, 0.5) for failures in range(10)]
    assert waits == sorted(waits)
    assert waits[-1] == 8


def test_clients_that_lost_the_same_server_do_not_come_back_in_step() -> None:
    assert delay(9, 0.0) == 6
    assert delay(9, 1.0) == 10
