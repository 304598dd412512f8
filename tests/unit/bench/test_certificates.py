"""The page about many hosts."""

from bench.certificates import Subject, text

PORTWARD = Subject("Portward", 3.6, {"edge": 62.0, "keeper": 90.4}, 0.071, 1.6, first_start=4.9)
HAPROXY = Subject("HAProxy alone", 1.2, {"haproxy": 51.0}, 0.003, 0.004, reload=1.57)


def test_the_page_shows_what_was_measured_and_leaves_out_what_was_not() -> None:
    page = text([PORTWARD, HAPROXY], 1000, 30)
    assert "| | Portward | HAProxy alone |" in page
    assert "| first start, certificates are made | 4.9 s | – |" in page
    assert "| resident memory at rest | 152 MB | 51 MB |" in page
    assert "| one swap | 71 ms | 3 ms |" in page
    assert "| one swap by a reload | – | 1570 ms |" in page
    assert "edge 62 MB, keeper 90 MB" in page
    assert "# Benchmark: 1,000 hosts" in page
