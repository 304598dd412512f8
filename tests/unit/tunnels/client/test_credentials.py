from pathlib import Path

import asyncssh
import pytest

from portward.errors import NotAdmitted
from portward.tunnels.client.credentials import credentials
from portward.tunnels.profiles.profile import Profile

KEY = asyncssh.generate_private_key("ssh-ed25519")


def profile(file: Path, *, agent: bool = True) -> Profile:
    return Profile("db", host="gate", key_file=str(file), agent=agent)


def written(directory: Path, passphrase: str | None = None) -> Path:
    file = directory / "id"
    KEY.write_private_key(file, passphrase=passphrase)
    KEY.write_public_key(f"{file}.pub")
    return file


def test_a_key_that_is_named_is_offered_alone(tmp_path: Path) -> None:
    options = credentials(profile(written(tmp_path)))
    assert options["client_keys"] == [KEY]
    assert options["agent_path"] == ""


def test_a_locked_key_opens_by_its_passphrase_or_is_looked_for_in_the_agent(tmp_path: Path) -> None:
    file = written(tmp_path, "a passphrase")
    assert credentials(profile(file), lambda asked: "a passphrase" * (asked == file))["client_keys"] == [KEY]
    assert credentials(profile(file)) == {"agent_identities": [KEY.convert_to_public()]}
    with pytest.raises(NotAdmitted, match="nobody is there"):
        credentials(profile(file, agent=False))
    with pytest.raises(NotAdmitted, match="assphrase"):
        credentials(profile(file), lambda asked: "a wrong one")


@pytest.mark.parametrize(("name", "way_out"), [("id", "ssh-keygen -y"), ("ann.ppk", "portward tunnel import")])
def test_what_is_no_key_is_named_with_a_way_out(tmp_path: Path, name: str, way_out: str) -> None:
    file = tmp_path / name
    with pytest.raises(NotAdmitted, match="can't be read"):
        credentials(profile(file))
    file.write_text("PuTTY-User-Key-File-3: ssh-ed25519\n")
    with pytest.raises(NotAdmitted, match=way_out):
        credentials(profile(file))


def test_without_a_key_the_usual_ones_are_offered_and_the_agents_where_it_may_be_asked(tmp_path: Path) -> None:
    plain = Profile("db", host="gate")
    assert "agent_path" not in credentials(plain)
    assert credentials(Profile("db", host="gate", agent=False))["agent_path"] == ""
