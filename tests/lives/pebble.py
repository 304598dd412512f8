"""Pebble, the authority of the tests (Debian's package `pebble`): strict, behind a door that can be shut.

    with Pebble(directory) as pebble:
        pebble.start(http_port=8080, https_port=8443)
        gateway = Gateway(directory, services, tls=pebble.tls(...))
        pebble.door.shut()                  # away, and its memory kept

It asks the gateway's own ports for its challenges, and the DNS server of `names`.
"""

import json
import os
import socket
import ssl
import subprocess
import threading
from contextlib import ExitStack, suppress
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from tests.lives.gateway import free_ports
from tests.lives.names import Names
from tests.lives.waiting import PATIENCE, wait_for

_QUICK = {"PEBBLE_VA_NOSLEEP": "1", "PEBBLE_AUTHZREUSE": "0", "PEBBLE_WFE_NONCEREJECT": "0"}


class Door:
    """A TCP forwarder; while it is shut, nobody listens and every connection is cut."""

    def __init__(self, behind: int) -> None:
        self._behind = behind
        (self.port,) = free_ports(1)
        self._lock = threading.Lock()
        self._listener: socket.socket | None = None
        self._open: list[socket.socket] = []

    def open(self) -> None:
        listener = socket.create_server(("127.0.0.1", self.port), backlog=64)
        self._listener = listener
        threading.Thread(target=self._accept, args=[listener], daemon=True).start()

    def shut(self) -> None:
        listener, self._listener = self._listener, None
        if listener:
            listener.shutdown(socket.SHUT_RDWR)
            listener.close()
        with self._lock:
            for one in self._open:
                with suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)
                one.close()
            self._open.clear()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
                server = socket.create_connection(("127.0.0.1", self._behind), PATIENCE)
            except OSError:
                return
            server.settimeout(None)
            with self._lock:
                self._open += [client, server]
            for one, other in ((client, server), (server, client)):
                threading.Thread(target=_copy, args=[one, other], daemon=True).start()


def _copy(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)


class Pebble:
    """`environment` as Pebble's README has it (`PEBBLE_…`)."""

    def __init__(self, directory: Path, **environment: str) -> None:
        self._directory = directory / "pebble"
        self._directory.mkdir()
        behind, self._management = free_ports(2)
        self._port, self.door = behind, Door(behind)
        self._environment = {**_QUICK, **environment}
        self.names = Names(self._directory / "txt")
        self.ca_file, self._key_file = self._directory / "https.pem", self._directory / "https.key"
        self._make_certificate()
        self._stack = ExitStack()
        self.lines: list[str] = []

    @property
    def directory(self) -> str:
        return f"https://127.0.0.1:{self.door.port}/dir"

    def tls(self, **more: Any) -> dict[str, Any]:
        """The table [tls] that leads a gateway here."""
        own = {"mode": "acme", "email": "ann@example.com", "resolvers": [f"127.0.0.1:{self.names.port}"]}
        authorities = {"authorities": [{"directory": self.directory, "ca-file": str(self.ca_file)}]}
        return {**own, **authorities, **more}

    def __enter__(self) -> Self:
        self._stack.enter_context(self.names)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.door.shut()
        self._stack.close()

    def start(self, *, http_port: int, https_port: int, **config: Any) -> None:
        """Run, with an empty memory. `config` as in Pebble's file."""
        file = self._directory / "config.json"
        settings = {
            "listenAddress": f"127.0.0.1:{self._port}",
            "managementListenAddress": f"127.0.0.1:{self._management}",
            "certificate": str(self.ca_file),
            "privateKey": str(self._key_file),
            "httpPort": http_port,
            "tlsPort": https_port,
            "ocspResponderURL": "",
            "externalAccountBindingRequired": False,
        }
        file.write_text(json.dumps({"pebble": {**settings, **config}}))
        process = subprocess.Popen(
            ["pebble", "-strict", "-config", str(file), "-dnsserver", f"127.0.0.1:{self.names.port}"],
            env={**os.environ, **self._environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        reader = threading.Thread(target=self._read, args=[process], daemon=True)
        reader.start()
        self._stack.callback(reader.join, PATIENCE)
        self._stack.callback(process.wait, PATIENCE)
        self._stack.callback(process.kill)
        wait_for(self._answers, "Pebble")
        self.door.open()

    def _read(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout
        with process.stdout as output:
            self.lines.extend(output)

    def _answers(self) -> bool:
        with suppress(httpx.TransportError):
            return self._get("/roots/0").is_success
        return False

    # ---- what it knows -----------------------------------------------------------------------------------------------

    @property
    def accounts(self) -> int:
        return self.said("accounts in memory")

    @property
    def orders(self) -> int:
        return self.said("Added order")

    def said(self, text: str) -> int:
        """How many lines of its log hold this."""
        return sum(text in line for line in list(self.lines))

    def root(self, number: int = 0) -> x509.Certificate:
        return x509.load_pem_x509_certificate(self._get(f"/roots/{number}").content)

    def trust(self, number: int = 0) -> ssl.SSLContext:
        """A client's context that trusts this root alone."""
        return ssl.create_default_context(cadata=self._get(f"/roots/{number}").text)

    def revoked(self, serial: int) -> bool:
        return bool(self._get(f"/cert-status-by-serial/{serial:x}").json()["Status"] == "Revoked")

    def _get(self, path: str) -> httpx.Response:
        context = ssl.create_default_context(cafile=str(self.ca_file))
        url = f"https://127.0.0.1:{self._management}{path}"
        return httpx.get(url, verify=context, trust_env=False, timeout=PATIENCE)

    def _make_certificate(self) -> None:
        key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Pebble's own HTTPS")])
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(hours=1))
            .not_valid_after(now + timedelta(days=1))
            .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
            .sign(key, hashes.SHA256())
        )
        self.ca_file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        encoding, kind = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
        self._key_file.write_bytes(key.private_bytes(encoding, kind, serialization.NoEncryption()))
