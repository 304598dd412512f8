from pathlib import Path

import pytest

from portward.config.reading import parse
from portward.errors import ConfigError

MAIL = '[mail]\nhost = "mail.example.com"\nfrom = "gate@example.com"\n'


def read(text: str, tmp_path: Path) -> object:
    return parse(text, tmp_path / "portward.toml", {})


def mistakes(text: str, tmp_path: Path) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        read(text, tmp_path)
    return [f"{mistake.key} {mistake.problem}" for mistake in caught.value.mistakes]


def test_a_password_crosses_no_network_in_the_clear(tmp_path: Path) -> None:
    (tmp_path / "secret").touch(0o600)
    clear = f'{MAIL}tls = "none"\nuser = "gate"\npassword-file = "secret"\n'
    assert "mail.tls the password would cross" in mistakes(clear, tmp_path)[0]
    read(clear.replace("mail.example.com", "127.0.0.1"), tmp_path)
    read(f'{MAIL}tls = "none"\n', tmp_path)


def test_a_user_without_a_password_is_a_mistake(tmp_path: Path) -> None:
    assert mistakes(f'{MAIL}user = "gate"\n', tmp_path) == ["mail `password-file` is missing"]


def test_a_password_that_others_may_read_is_a_mistake(tmp_path: Path) -> None:
    (tmp_path / "secret").touch(0o600)
    text = f'{MAIL}user = "gate"\npassword-file = "secret"\nca-file = "gone.pem"\n'
    assert [mistake.partition(" ")[0] for mistake in mistakes(text, tmp_path)] == ["mail.ca-file"]
    (tmp_path / "secret").chmod(0o644)
    assert "may be read by others" in str(mistakes(text, tmp_path))
