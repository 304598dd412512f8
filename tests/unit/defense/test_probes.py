"""Paths that only scanners ask for: the list that ships, held against what honest programs ask for by themselves."""

from datetime import UTC, datetime

import pytest
from tests.unit.defense.clients import CLIENTS

from portward.config.detectors import Detectors
from portward.defense.detectors import detectors_of
from portward.defense.probes import NoPath, Probes
from portward.defense.signs import Knowledge, signs_of
from portward.facts import ErrorAnswered, RequestRefused

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
DETECTORS = detectors_of(Detectors())
KNOWLEDGE = Knowledge(Probes.shipped(), lambda host: True)
REQUESTS = [(client, *wanted.split(" ", 1)) for client, several in CLIENTS.items() for wanted in several]


def probes(method: str, path: str) -> set[str]:
    """Which ones a request is, be it refused before a login or answered with an error."""
    facts = (
        RequestRefused(time=NOW, address="203.0.113.7", gate="identity", rule="no_session", method=method, path=path),
        ErrorAnswered(time=NOW, address="203.0.113.7", method=method, path=path, status=404),
    )
    signs = [sign for fact in facts for sign in signs_of(fact, DETECTORS, KNOWLEDGE)]
    return {sign.what for sign in signs if sign.detector == "probe"}


@pytest.mark.parametrize(("client", "method", "path"), REQUESTS)
def test_no_program_of_honest_people_is_taken_for_a_scanner(client: str, method: str, path: str) -> None:
    assert probes(method, path) == set(), client


@pytest.mark.parametrize(
    "path",
    ["/.env", "/app/.env.production", "/.git/config", "/.aws/credentials", "/.DS_Store", "/x/wp-login.php", "/a/../b"],
)
def test_a_scanner_is_known_by_what_it_wants_to_read(path: str) -> None:
    assert len(probes("GET", path)) == 1
    assert probes("HEAD", path) == probes("POST", path) == probes("GET", path)


def test_the_app_of_ones_own_wordpress_asks_for_one_thing() -> None:
    asked = ("/xmlrpc.php", "/wp-login.php", "/wp-admin/admin-ajax.php", "/wp-content/a.png", "/wp-json/")
    assert set().union(*(probes("GET", path) for path in asked)) == {"wordpress"}


def test_a_list_of_ones_own_names_the_line_that_is_no_path() -> None:
    with pytest.raises(NoPath, match="line 3"):
        Probes.read("/a\n# b\nc\n")
