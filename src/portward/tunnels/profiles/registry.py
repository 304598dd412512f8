"""PuTTY's sessions on Windows: exports of the registry, `.reg` files, as regedit writes and reads them.

    read(Path("putty.reg").read_bytes(), "putty.reg").profiles
    write(profile).text                         # 'Windows Registry Editor Version 5.00\\r\\n…'

Version 5 is UTF-16 with a byte order mark (UTF-8 is read too); REGEDIT4 is in the ANSI code page.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from portward.errors import ConfigError, Mistake
from portward.tunnels.profiles.exchange import Exported, Imported, Note, together
from portward.tunnels.profiles.profile import Profile
from portward.tunnels.profiles.putty import Setting, from_session, to_session
from portward.tunnels.profiles.putty_files import decode

SESSIONS = r"\Software\SimonTatham\PuTTY\Sessions"
_HEADER = "Windows Registry Editor Version 5.00"
_OLD_HEADER = "REGEDIT4"
_KEY = re.compile(r"\[(-?)(.*)\]\s*")
_VALUE = re.compile(r'(?:"((?:[^"\\]|\\.)*)"|@)=(.*)')
_STRING = re.compile(r'"((?:[^"\\]|\\.)*)"\s*')
_DWORD = re.compile(r"dword:([0-9A-Fa-f]{1,8})\s*", re.IGNORECASE)
_HEX = re.compile(r"hex(?:\(([0-9A-Fa-f]+)\))?:([0-9A-Fa-f,\s]*)", re.IGNORECASE)
_STRINGS = {"1", "2"}
"""REG_SZ and REG_EXPAND_SZ, as regedit names them in hex(N)."""


@dataclass(slots=True)
class _Key:
    name: str
    line: int
    settings: dict[str, Setting] = field(default_factory=dict)


def is_registry(data: bytes) -> bool:
    """Whether a file begins as an export of the registry does."""
    return _decode(data[:200]).lstrip("\ufeff\r\n").startswith((_HEADER, _OLD_HEADER))


def read(data: bytes, file: str) -> Imported:
    """The tunnels of all sessions in an export. Raises `ConfigError`: file, line, reason."""
    text = _decode(data)
    wide = not text.startswith(_OLD_HEADER)
    keys = [key for key in _keys(text, file, wide=wide) if _session_in(key.name)]
    if not keys:
        note = f"no session of PuTTY in it; export the key HKEY_CURRENT_USER{SESSIONS}"
        return Imported(notes=(Note("", note),))
    return together(from_session(_session_in(key.name), key.settings, file, key.line) for key in keys)


def write(profile: Profile) -> Exported:
    """A file that regedit imports by a double click."""
    session = to_session(profile)
    notes = list(session.notes)
    if not profile.name.isascii():
        notes.append(f"PuTTY has names in the ANSI code page: {profile.name!r} is right where that is Windows-1252")
    if any(path.startswith(("/", "~")) for path in (profile.key_file, profile.certificate_file)):
        notes.append("the key's path is one of this machine: choose the key anew on Windows")
    rows = [f'"{key}"={_spell(value)}' for key, value in session.values.items()]
    text = "\r\n".join([_HEADER, "", f"[HKEY_CURRENT_USER{SESSIONS}\\{escape(profile.name)}]", *rows, "", ""])
    return Exported(text, tuple(notes), "utf-16")


def escape(name: str) -> str:
    """A session's name as that of its key (utils/escape_registry_key.c); brackets too, since they end the key here."""
    data = _ansi(name)
    text = re.sub(rb"[^!-~]|[\\*?%\[\]]", lambda match: b"%%%02X" % match[0][0], data).decode("ascii")
    return f"%2E{text[1:]}" if text.startswith(".") else text


def _ansi(name: str) -> bytes:
    """Windows-1252 where that can say it, and could not be taken for UTF-8; UTF-8 otherwise."""
    try:
        data = name.encode("cp1252")
        return data if decode(data) == name else name.encode()
    except UnicodeEncodeError:
        return name.encode()


def _spell(value: str | int) -> str:
    if isinstance(value, int):
        return f"dword:{value:08x}"
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _decode(data: bytes) -> str:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16", errors="replace")
    if data[1:2] == b"\0":
        return data.decode("utf-16-le", errors="replace")
    return decode(data.removeprefix(b"\xef\xbb\xbf"))


def _session_in(key: str) -> str:
    """The session's name from its key, of whichever user; empty for any other key."""
    root, _, name = key.rpartition("\\")
    if not root.lower().endswith(SESSIONS.lower()):
        return ""
    data = re.sub(rb"%([0-9A-Fa-f]{2})", lambda match: bytes([int(match[1], 16)]), name.encode())
    return decode(data)


def _keys(text: str, file: str, *, wide: bool) -> Iterator[_Key]:
    rows = _rows(text)
    number, first = next(rows, (1, ""))
    if first.strip() not in {_HEADER, _OLD_HEADER}:
        raise _mistake(file, number, "is no export of the registry", f"{_HEADER}, or {_OLD_HEADER}")
    key: _Key | None = None
    for number, row in rows:
        if match := _KEY.fullmatch(row):
            if key:
                yield key
            key = None if match[1] else _Key(match[2], number)
        elif not (match := _VALUE.fullmatch(row)):
            raise _mistake(file, number, f"can't be read: {row[:60]}", '[KEY], "Name"="text" or "Name"=dword:00000016')
        elif key and match[1] is not None and match[2].strip() != "-":
            key.settings[_unquote(match[1])] = Setting(_value(match[2], file, number, wide=wide), number)
    if key:
        yield key


def _rows(text: str) -> Iterator[tuple[int, str]]:
    """Lines with their number, without comments and blank ones; those that end in a backslash go on in the next."""
    began, whole = 0, ""
    for number, line in enumerate(text.lstrip("\ufeff").split("\n"), start=1):
        stripped = line.strip()
        if not whole and (not stripped or stripped.startswith(";")):
            continue
        began = began or number
        whole += stripped
        if stripped.endswith("\\"):
            whole = whole[:-1]
            continue
        yield began, whole
        began, whole = 0, ""
    if whole:
        yield began, whole


def _value(text: str, file: str, line: int, *, wide: bool) -> str:
    if match := _STRING.fullmatch(text):
        return _unquote(match[1])
    if match := _DWORD.fullmatch(text):
        value = int(match[1], 16)
        return str(value - (1 << 32) if value >> 31 else value)
    if match := _HEX.fullmatch(text):
        return _from_hex(match, file, line, wide=wide)
    raise _mistake(file, line, f"has no value: {text[:60]}", '"text", dword:00000016 or hex(1):…')


def _from_hex(match: re.Match[str], file: str, line: int, *, wide: bool) -> str:
    digits = re.sub(r"[,\s]", "", match[2])
    if len(digits) % 2:
        raise _mistake(file, line, "has half a byte at its end", "hex digits in pairs")
    data = bytes.fromhex(digits)
    if match[1] == "4":
        return str(int.from_bytes(data, "little", signed=True))
    if match[1] not in _STRINGS:
        return digits
    return (data.decode("utf-16-le", errors="replace") if wide else decode(data)).rstrip("\0")


def _unquote(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text)


def _mistake(file: str, line: int, problem: str, expected: str) -> ConfigError:
    return ConfigError((Mistake(file, line, "", problem, expected),))
