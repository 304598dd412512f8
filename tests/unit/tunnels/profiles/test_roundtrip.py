"""Export, import again: nothing is lost that both sides can say, and what is lost was named."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from tests.unit.tunnels.profiles.strategies import profiles

from portward.tunnels.profiles import openssh, putty_files, registry, ssh_config
from portward.tunnels.profiles.exchange import Imported
from portward.tunnels.profiles.formats import FORMATS, kind_of
from portward.tunnels.profiles.profile import KEEPALIVE_COUNT, Forward, Profile, Tcp

many = settings(max_examples=120, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])


def as_putty_can(profile: Profile) -> Profile:
    """All of a tunnel that PuTTY has settings for."""
    return replace(
        profile,
        keepalive_count=KEEPALIVE_COUNT,
        start_at_login=False,
        jumps=profile.jumps[-1:],
        local=tuple(filter(is_tcp, profile.local)),
        remote=tuple(filter(is_tcp, profile.remote)),
    )


def as_openssh_can(profile: Profile) -> Profile:
    """All of a tunnel that OpenSSH has keywords for; nc knows a user's name for HTTP alone."""
    proxy = profile.proxy
    if proxy and proxy.kind != "http":
        proxy = replace(proxy, user="")
    return replace(profile, name=openssh.alias_of(profile.name), start_at_login=False, proxy=proxy)


def is_tcp(forward: Forward) -> bool:
    return isinstance(forward.listen, Tcp) and isinstance(forward.to, Tcp)


def only(found: Imported) -> Profile:
    assert found.broken == ()
    (profile,) = found.profiles
    return profile


@given(profile=profiles())
@many
def test_a_session_file_of_putty_keeps_all_that_putty_can_say(profile: Profile) -> None:
    exported = putty_files.write(profile)
    name = putty_files.name_of(putty_files.filename(profile.name))
    again = only(putty_files.read(exported.text.encode(), name, "session"))
    assert again == as_putty_can(profile)
    assert exported.notes or again == profile or not profile.keepalive
    assert putty_files.write(again).text == exported.text


@given(profile=profiles())
@many
def test_a_registry_file_keeps_all_that_putty_can_say(profile: Profile) -> None:
    exported = registry.write(profile)
    again = only(registry.read(exported.text.encode(exported.encoding), "putty.reg"))
    assert again == as_putty_can(profile)
    assert registry.write(again).text == exported.text


@given(profile=profiles())
@many
def test_a_host_of_openssh_keeps_all_that_openssh_can_say(tmp_path: Path, profile: Profile) -> None:
    file = tmp_path / "config"
    exported = openssh.config(profile)
    file.write_text(exported.text)
    again = only(ssh_config.read(file, user="ann", home=tmp_path))
    assert again == as_openssh_can(profile)
    assert exported.notes or again == profile
    file.write_text(openssh.config(again).text)
    assert only(ssh_config.read(file, user="ann", home=tmp_path)) == again


@given(profile=profiles())
@many
def test_what_is_exported_is_recognised(profile: Profile) -> None:
    assert kind_of(FORMATS["putty"].write(profile).text.encode()) == "session"
    assert kind_of(FORMATS["reg"].write(profile).text.encode("utf-16")) == "registry"
    assert kind_of(FORMATS["ssh-config"].write(profile).text.encode()) == "ssh-config"


@pytest.mark.parametrize("name", FORMATS)
def test_a_tunnel_without_specialities_loses_nothing_but_what_is_named(name: str) -> None:
    plain = Profile("plain", "gate.example.com", keepalive=timedelta(), dynamic=(Tcp("", 1080),))
    unavoidable = {"autossh": "without keepalives", "systemd": "start-at-login is off"}
    for note in FORMATS[name].write(plain).notes:
        assert note.startswith(unavoidable[name])
