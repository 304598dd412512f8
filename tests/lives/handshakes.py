"""What a handshake shows.

shown(gateway, "wiki")      # the serial number of the certificate that a visitor gets, in hex
"""

import socket
import ssl

from cryptography import x509
from tests.lives.gateway import Gateway


def shown(gateway: Gateway, host: str) -> str:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with (
        socket.create_connection(("127.0.0.1", gateway.https_port), 20) as reached,
        context.wrap_socket(reached, server_hostname=gateway.host(host)) as secured,
    ):
        certificate = secured.getpeercert(binary_form=True)
    assert certificate
    return serial(ssl.DER_cert_to_PEM_cert(certificate))


def serial(pem: str) -> str:
    """Of the first certificate in a text."""
    return f"{x509.load_pem_x509_certificate(pem.encode()).serial_number:x}"
