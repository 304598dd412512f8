"""Results as a run would give them, small enough to check by eye."""

from bench.figures import Figure
from bench.results import Entry, GateCost, Results

RESULTS = Results(
    measured_at="2026-11-20T14:00+00:00",
    rounds=5,
    seconds=4.0,
    machine={"cores": "2", "memory": "24 GB", "kernel": "Linux 6.1, x86_64", "system": "Debian", "python": "3.11.2"},
    products={
        "haproxy": Entry("HAProxy, bare", "2.6.12", False, {"haproxy": 15.0}, {"haproxy": 25.0}),
        "caddy": Entry("Caddy <forward_auth> & co", "2.11.7", True, {"caddy": 40.0}, {"caddy": 60.0}),
        "portward": Entry("Portward", "0.1.0", True, {"edge": 90.0}, {"edge": 100.0, "keeper": 50.0}),
    },
    figures={
        "http1": {
            "haproxy": Figure(50_000.0, 2.0, 20.0, {"haproxy": 20.0}, 0, 1.0, 0.0),
            "caddy": Figure(5_000.0, 20.0, 200.0, {"caddy": 200.0}, 0, 1.0, 0.0),
            "portward": Figure(40_000.0, 2.5, 25.0, {"edge": 24.0, "keeper": 1.0}, 0, 1.0, 0.0),
        },
        "handshake": {
            "haproxy": Figure(1000.0, None, 460.0, {"haproxy": 460.0}, 0, 0.5, 0.2),
            "portward": Figure(900.0, None, 500.0, {"edge": 500.0, "keeper": 0.0}, 2, 0.5, 0.2),
        },
    },
    gates=(GateCost("Identity", 4.7),),
)
