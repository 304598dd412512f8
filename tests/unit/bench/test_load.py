"""The load generators' output, read."""

import pytest
from bench.load import durations_us, p99_ms, parse_h2load, parse_wrk

WRK = """\
Running 2s test @ https://bench.portward.localhost:29003/small
  1 threads and 32 connections
Requests/sec:  50621.44
{"requests": 101312, "seconds": 2.001247, "bytes": 25226688, "p99_ms": 0.931, "errors": 3}
"""
H2LOAD = """\
TLS Protocol: TLSv1.3
Application protocol: http/1.1

finished in 2.04s, 982.24 req/s, 0B/s
requests: 2000 total, 2000 started, 2000 done, 1990 succeeded, 7 failed, 2 errored, 1 timeout
status codes: 1990 2xx, 0 3xx, 0 4xx, 7 5xx
time for request:      200us     46.03ms     12.59ms      6.37ms    73.45%
"""


def test_wrk_tells_requests_errors_and_p99():
    outcome = parse_wrk(WRK)
    assert outcome.rate == pytest.approx(50624.4, abs=0.1)
    assert outcome.p99_ms == 0.931
    assert outcome.errors == 3


def test_a_download_under_way_at_the_end_counts_by_its_bytes():
    assert parse_wrk(WRK, unit_bytes=10_000_000).done == pytest.approx(2.5226688)


def test_h2load_counts_only_what_succeeded():
    outcome = parse_h2load(H2LOAD, ())
    assert outcome.done == 1990
    assert outcome.seconds == 2.04
    assert outcome.errors == 10
    assert outcome.p99_ms is None


def test_h2load_may_finish_in_milliseconds():
    assert parse_h2load(H2LOAD.replace("2.04s,", "204.5ms,"), ()).seconds == pytest.approx(0.2045)


def test_a_text_without_summary_is_refused():
    with pytest.raises(ValueError, match="no summary: could not connect"):
        parse_h2load("could not connect", ())


def test_p99_is_the_value_that_one_in_a_hundred_exceeds():
    assert p99_ms(range(1000, 101_000, 1000)) == 99
    assert p99_ms([5000]) == 5
    assert p99_ms([]) is None


def test_durations_are_the_third_column_of_the_log():
    assert durations_us(["1795179719728590\t200\t4252\n", "1795179719728591\t200\t4281\n"]) == [4252, 4281]
