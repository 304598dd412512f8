"""A folder on the web, asked over its own Unix socket."""

import asyncio
from pathlib import Path

import httpx
import pytest

from portward.tunnels.client.folder import serving_folder


@pytest.fixture
def public(tmp_path: Path) -> Path:
    """Beside it, and linked from it, lies what must not get out."""
    (tmp_path / "secret.txt").write_text("secret")
    public = tmp_path / "public"
    (public / "deep").mkdir(parents=True)
    (public / "site").mkdir()
    (public / ".git").mkdir()
    (public / "a b.txt").write_text("hello")
    (public / "<b>.txt").write_text("odd")
    (public / ".hidden").write_text("secret")
    (public / ".git" / "config").write_text("secret")
    (public / "deep" / "file.bin").write_bytes(bytes(1000))
    (public / "site" / "index.html").write_text("<h1>site</h1>")
    (public / "out").symlink_to(tmp_path / "secret.txt")
    (public / "up").symlink_to(tmp_path)
    (public / "masked.txt").symlink_to(public / ".hidden")
    (public / "inside.txt").symlink_to(public / "a b.txt")
    return public


def ask(directory: Path, *paths: str, method: str = "GET", **headers: str) -> list[httpx.Response]:
    async def run() -> list[httpx.Response]:
        place = directory.parent / "run" / "f.sock"
        async with serving_folder(directory, place):
            assert place.stat().st_mode & 0o777 == 0o600
            transport = httpx.AsyncHTTPTransport(uds=str(place))
            async with httpx.AsyncClient(transport=transport, base_url="http://files") as client:
                return [await client.request(method, path, headers=headers) for path in paths]

    return asyncio.run(run())


def test_files_are_served_with_their_type_and_in_parts(public: Path) -> None:
    (whole,) = ask(public, "/a%20b.txt")
    assert (whole.status_code, whole.text, whole.headers["content-type"]) == (200, "hello", "text/plain; charset=utf-8")
    (part,) = ask(public, "/a%20b.txt", range="bytes=1-2")
    assert (part.status_code, part.text) == (206, "el")
    (head,) = ask(public, "/a%20b.txt", method="HEAD")
    assert (head.status_code, head.content, head.headers["content-length"]) == (200, b"", "5")


def test_a_directory_is_listed_unless_it_has_an_index(public: Path) -> None:
    top, site, deep = ask(public, "/", "/site/", "/deep/")
    assert site.text == "<h1>site</h1>"
    assert 'href="./a%20b.txt"' in top.text
    assert 'href="./deep/"' in top.text
    assert "&lt;b&gt;.txt" in top.text
    assert "<b>" not in top.text
    assert 'href="../"' in deep.text


def test_a_directory_without_a_slash_leads_to_the_one_with_it_whatever_the_host(public: Path) -> None:
    answers = ask(public, "/deep", "/site", "//evil.example.com/../deep")
    assert [answer.status_code for answer in answers] == [307] * 3
    assert [answer.headers["location"] for answer in answers] == ["./deep/", "./site/", "./deep/"]


@pytest.mark.parametrize(
    "path",
    [
        "/.hidden",
        "/.git/config",
        "/.git/",
        "/out",
        "/up/",
        "/up/secret.txt",
        "/masked.txt",
        "/../secret.txt",
        "/%2e%2e/secret.txt",
        "/..%2fsecret.txt",
        "/deep/..%2f..%2fsecret.txt",
        "/%2e%2e%2fsecret.txt",
        "//etc/passwd",
        "/%2fetc/passwd",
        "/a%00b",
        "/" + "x" * 300,
        "/missing",
    ],
)
def test_nothing_hidden_and_nothing_outside_is_served(public: Path, path: str) -> None:
    with_raw_path = raw(public, path)
    assert with_raw_path.startswith(b"HTTP/1.1 404")
    assert b"secret" not in with_raw_path.partition(b"\r\n\r\n")[2]


def test_nothing_hidden_and_no_way_out_is_listed(public: Path) -> None:
    (top,) = ask(public, "/")
    for name in (".hidden", ".git", "out", "up/", "masked.txt"):
        assert f"./{name}" not in top.text
    assert "inside.txt" in top.text


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
def test_it_is_read_only(public: Path, method: str) -> None:
    for answer in ask(public, "/", "/a%20b.txt", method=method):
        assert answer.status_code == 405
        assert answer.headers["allow"] == "GET, HEAD"


def raw(directory: Path, path: str) -> bytes:
    """The whole answer to a path that no client mends before it sends it."""

    async def run() -> bytes:
        place = directory.parent / "run" / "f.sock"
        async with serving_folder(directory, place):
            reader, writer = await asyncio.open_unix_connection(place)
            writer.write(f"GET {path} HTTP/1.1\r\nHost: files\r\nConnection: close\r\n\r\n".encode())
            answer = await reader.read()
            writer.close()
            return answer

    return asyncio.run(run())
