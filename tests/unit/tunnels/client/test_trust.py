import subprocess
from pathlib import Path

import asyncssh
import pytest

from portward.errors import Invalid
from portward.tunnels.client.knownhosts import Known, KnownHosts
from portward.tunnels.client.trust import UnknownHostKey, algorithms, judge, refusal

KEY, OTHER = (
    asyncssh.generate_private_key(kind).convert_to_public() for kind in ("ssh-ed25519", "ecdsa-sha2-nistp256")
)
HOST, PORT = "gate.example.com", 2222


def public(key: asyncssh.SSHKey) -> str:
    return " ".join(key.export_public_key("openssh").decode().split()[:2])


def known(directory: Path, *lines: str, others: tuple[Path, ...] = ()) -> KnownHosts:
    own = directory / "known_hosts"
    own.write_text("\n".join(lines))
    return KnownHosts(own, others)


def verdict(hosts: KnownHosts, key: asyncssh.SSHKey = KEY) -> str:
    return judge(hosts.of(HOST, PORT), key)


def test_a_host_that_nobody_knows_is_unknown(tmp_path: Path) -> None:
    hosts = known(tmp_path, f"[other.example.com]:2222 {public(KEY)}")
    assert verdict(hosts) == "unknown"
    error = refusal("unknown", HOST, PORT, KEY, hosts)
    assert isinstance(error, UnknownHostKey)
    assert f"--accept-host-key {KEY.get_fingerprint()}" in str(error)


def test_what_is_added_is_known_and_the_rest_of_the_file_stays(tmp_path: Path) -> None:
    hosts = known(tmp_path, f"other.example.com {public(OTHER)}")
    hosts.add(HOST, PORT, KEY)
    assert verdict(hosts) == "trusted"
    assert hosts.own.read_text().splitlines() == [
        f"other.example.com {public(OTHER)}",
        f"[{HOST}]:{PORT} {public(KEY)}",
    ]
    assert hosts.own.stat().st_mode & 0o777 == 0o600


def test_another_key_is_a_change_even_of_another_kind(tmp_path: Path) -> None:
    hosts = known(tmp_path, "# mine", f"[{HOST}]:{PORT} {public(OTHER)}")
    assert verdict(hosts) == "changed"
    sentence = str(refusal("changed", HOST, PORT, KEY, hosts))
    assert f"{OTHER.get_fingerprint()} ({hosts.own}, line 2)" in sentence
    assert f"ssh-keygen -R '[{HOST}]:{PORT}' -f {hosts.own}" in sentence


def test_a_revoked_key_is_refused_even_where_it_is_known(tmp_path: Path) -> None:
    hosts = known(tmp_path, f"[{HOST}]:{PORT} {public(KEY)}", f"@revoked * {public(KEY)}")
    assert verdict(hosts) == "revoked"


def test_a_key_of_the_name_without_a_port_is_good_but_no_reason_to_refuse(tmp_path: Path) -> None:
    hosts = known(tmp_path, f"{HOST} {public(KEY)}")
    assert verdict(hosts, KEY) == "trusted"
    assert verdict(hosts, OTHER) == "unknown"


def test_the_files_of_ssh_are_read_and_hashed_names_understood(tmp_path: Path) -> None:
    theirs = tmp_path / "theirs"
    theirs.write_text(f"[{HOST}]:{PORT} {public(KEY)}\n")
    subprocess.run(["ssh-keygen", "-q", "-H", "-f", theirs], check=True, stderr=subprocess.DEVNULL)
    assert HOST not in theirs.read_text()
    assert verdict(known(tmp_path, others=(theirs,))) == "trusted"


def test_the_kind_of_a_known_key_is_asked_for_first_and_never_the_only_one(tmp_path: Path) -> None:
    hosts = known(tmp_path, f"[{HOST}]:{PORT} {public(OTHER)}")
    names = algorithms(hosts.of(HOST, PORT))
    assert names[0] == "ecdsa-sha2-nistp256"
    assert "ssh-ed25519" in names
    assert not [name for name in names if "cert" in name]


def test_certificates_are_asked_for_where_an_authority_is_known(tmp_path: Path) -> None:
    hosts = known(tmp_path, f"@cert-authority *.example.com,[*.example.com]:* {public(OTHER)}")
    assert hosts.of(HOST, PORT) != Known()
    assert algorithms(hosts.of(HOST, PORT))[0] == "ssh-ed25519-cert-v01@openssh.com"


def test_a_broken_line_is_named_with_its_file(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="known_hosts"):
        known(tmp_path, "@nonsense host key").of(HOST, PORT)
