"""Publishing and unpublishing change what they must, and leave every other line alone."""

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portward.config.editing import Publication, publish, services_in, unpublish
from portward.config.starter import STARTER
from portward.errors import Conflict, Invalid, NotFound

COMMENTED = """\
# The whole house
domain = "example.com"

# The wiki, for everybody at home
[services.wiki]
upstream = "http://127.0.0.1:3000"  # gollum
# timeout = "5m"

[[services.wiki.routes]]
path = "/api"
# Photos are precious
[services.photos]
upstream = "http://127.0.0.1:4000"

# The end
"""


def test_publishing_adds_a_table_and_touches_nothing_else() -> None:
    text = publish(COMMENTED, "blog", Publication("http://127.0.0.1:5000", access=("group:family", "account:ann")))
    assert text.startswith(COMMENTED)
    assert tomllib.loads(text)["services"]["blog"] == {
        "upstream": "http://127.0.0.1:5000",
        "access": ["group:family", "account:ann"],
    }


def test_everything_that_is_given_stands_in_the_file() -> None:
    publication = Publication("demo", host="B.example.com", path="/b", access=("owners",), second_factor=True)
    assert tomllib.loads(publish("", "b", publication))["services"]["b"] == {
        "upstream": "demo",
        "host": "b.example.com",
        "path": "/b",
        "access": "owners",
        "second-factor": True,
    }


def test_unpublishing_takes_the_service_and_its_own_comments() -> None:
    assert unpublish(COMMENTED, "wiki") == (
        '# The whole house\ndomain = "example.com"\n\n'
        "# Photos are precious\n"
        '[services.photos]\nupstream = "http://127.0.0.1:4000"\n\n# The end\n'
    )


def test_unpublishing_the_last_service_leaves_the_comment_at_the_end() -> None:
    text = unpublish(COMMENTED, "photos")
    assert text.endswith('path = "/api"\n\n# The end\n')
    assert "precious" not in text


@given(st.sampled_from([STARTER, COMMENTED, "", "# only this\n"]), st.from_regex(r"z[a-z0-9]{1,9}", fullmatch=True))
def test_unpublishing_undoes_publishing(text: str, name: str) -> None:
    assert unpublish(publish(text, name, Publication("http://127.0.0.1:1234")), name) == text


@pytest.mark.parametrize(
    "text",
    [
        'services = { a = { upstream = "demo" }, b = { upstream = "demo" } } # kept\n',
        'services.a.upstream = "demo"\nservices.b = { upstream = "demo" } # kept\n',
        '[services]\na = { upstream = "demo" }\nb.upstream = "demo" # kept\n',
        '[services.a]\nupstream = "demo"\n[services]\nb.upstream = "demo" # kept\n',
        '[services.a.x]\n[services."b"] # kept\n[services.a]\ny = """\n[services.b]\n"""\n',
    ],
)
def test_services_may_be_written_in_any_style(text: str) -> None:
    more = publish(text, "c", Publication("demo"))
    assert services_in(more) == ["a", "b", "c"]
    less = unpublish(more, "a")
    assert services_in(less) == ["b", "c"]
    assert "# kept" in less


def test_a_name_that_is_taken_is_a_conflict() -> None:
    with pytest.raises(Conflict, match="wiki already"):
        publish(COMMENTED, "wiki", Publication("demo"))


def test_an_unknown_service_can_not_be_unpublished() -> None:
    with pytest.raises(NotFound, match="no service named 'blog'"):
        unpublish(COMMENTED, "blog")


@pytest.mark.parametrize(
    ("name", "publication"),
    [
        ("Blog", Publication("demo")),
        ("blog", Publication("ftp://x")),
        ("blog", Publication("demo", host="nohost")),
        ("blog", Publication("demo", path="x")),
        ("blog", Publication("demo", access=("everybody",))),
        ("blog", Publication("demo", access=("public", "members"))),
    ],
)
def test_what_can_not_be_read_is_invalid(name: str, publication: Publication) -> None:
    with pytest.raises(Invalid, match="expected"):
        publish("", name, publication)


def test_a_service_that_dials_in_has_a_tunnel_instead_of_an_upstream() -> None:
    assert publish("", "blog", Publication("tunnel")) == "[services.blog]\ntunnel = true\n"
