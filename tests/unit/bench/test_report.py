"""Tables, chart and page, from results that are known."""

import json
from dataclasses import replace
from xml.etree import ElementTree

import pytest
from bench import chart, document
from bench.report import number, table, tables
from bench.results import GateCost, Results
from tests.unit.bench.sample_results import RESULTS


def test_results_survive_their_file(tmp_path):
    RESULTS.write(tmp_path / "results" / "latest.json")
    assert Results.read(tmp_path / "results" / "latest.json") == RESULTS


def test_the_file_is_plain_json():
    assert json.loads(RESULTS.text())["figures"]["http1"]["portward"]["rate"] == 40_000


def test_columns_are_even():
    lines = table(("Product", "rate"), [("Portward", "40,000"), ("Caddy", "5")]).splitlines()
    assert len({len(line) for line in lines}) == 1
    assert lines[1] == "| -------- | -----: |"


def test_each_load_is_compared_with_bare_haproxy():
    row = next(line for line in tables(RESULTS).splitlines() if line.startswith("| Portward "))
    assert [cell.strip() for cell in row.strip("|").split("|")] == [
        *("Portward", "40,000", "0.80", "2.5", "25.0", "1.25", "0"),
    ]


def test_a_noisy_or_idle_core_is_said_so():
    text = tables(RESULTS)
    assert "Others used up to 20% of the products' core" in text
    assert "the least busy: 50%" in text


def test_ratios_are_given_by_the_clock_and_by_cpu_time():
    assert "8.00 (8.00)" in tables(RESULTS)
    assert "0.90 (0.92)" in tables(RESULTS)


def test_gates_have_a_table_of_their_own():
    assert "| Identity |                     4.7 |" in tables(RESULTS)


@pytest.mark.parametrize(
    ("value", "text"), [(49_912.0, "49,900"), (3456.7, "3,460"), (362.4, "362"), (16.94, "16.9"), (0.04, "0.0")]
)
def test_numbers_have_three_digits(value, text):
    assert number(value) == text


def test_the_chart_is_well_formed_whatever_a_product_is_called():
    drawing = ElementTree.fromstring(chart.svg(RESULTS))  # noqa: S314  we made it ourselves
    texts = [text.text for text in drawing.iter("{http://www.w3.org/2000/svg}text")]
    assert "Caddy <forward_auth> & co" in texts
    assert "40,000" in texts


def test_the_chart_loads_nothing_and_runs_nothing():
    drawing = chart.svg(RESULTS)
    assert "<script" not in drawing
    assert "href" not in drawing
    assert "@import" not in drawing


def test_the_page_names_versions_once_and_no_machine():
    text = document.text(RESULTS)
    assert "HAProxy 2.6.12, Caddy 2.11.7, Portward 0.1.0" in text
    assert "Linux 6.1" in text


def test_a_gate_below_zero_makes_the_whole_table_doubtful():
    noisy = replace(RESULTS, gates=(*RESULTS.gates, GateCost("Access log", -3.2)))
    assert "no row of this table can be relied on" in tables(noisy)
    assert "relied on" not in tables(RESULTS)
