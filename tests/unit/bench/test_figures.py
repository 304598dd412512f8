"""Medians and ratios."""

from dataclasses import replace

from bench.figures import Figure, Sample, ratios, summarize

SAMPLE = Sample("http1", "portward", 100.0, 2.0, {"edge": 20.0, "keeper": 1.0}, errors=0, busy=1.0, others=0.0)


def test_a_figure_is_the_median_of_its_rounds():
    rounds = [replace(SAMPLE, rate=rate, p99_ms=p99) for rate, p99 in ((100, 2), (900, 90), (110, 3))]
    figure = summarize(rounds)["http1"]["portward"]
    assert (figure.rate, figure.p99_ms) == (110, 3)


def test_cpu_time_is_summed_over_programs_and_kept_for_each():
    figure = summarize([SAMPLE])["http1"]["portward"]
    assert figure.cpu_us == 21
    assert figure.cpu_us_of == {"edge": 20, "keeper": 1}


def test_errors_are_added_up_not_averaged_away():
    rounds = [SAMPLE, SAMPLE, replace(SAMPLE, errors=3)]
    assert summarize(rounds)["http1"]["portward"].errors == 3


def test_no_p99_stays_none():
    assert summarize([replace(SAMPLE, p99_ms=None)])["http1"]["portward"].p99_ms is None


def test_loads_and_products_are_kept_apart():
    figures = summarize([SAMPLE, replace(SAMPLE, product="haproxy"), replace(SAMPLE, load="http2")])
    assert {load: list(products) for load, products in figures.items()} == {
        "http1": ["portward", "haproxy"],
        "http2": ["portward"],
    }


def test_a_ratio_above_one_means_that_portward_does_more():
    figures = {"portward": Figure(40.0, None, 25.0), "caddy": Figure(10.0, None, 200.0)}
    (ratio,) = ratios(figures, "portward")
    assert (ratio.baseline, ratio.rate, ratio.cpu) == ("caddy", 4.0, 8.0)


def test_without_portward_there_are_no_ratios():
    assert ratios({"caddy": Figure(10.0, None, 200.0)}, "portward") == []
