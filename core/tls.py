"""TLS between cores: version 1.3, both ends show pinned certificates."""

import os
import socket
import ssl
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from core.certificates import to_pem
from core.frames import PROTOCOL

# A peer that is gone without a word is noticed within about this time.
_SILENCE_MS = 20_000
_KEEPALIVE = {"TCP_KEEPIDLE": 10, "TCP_KEEPINTVL": 5, "TCP_KEEPCNT": 2}


@dataclass(frozen=True, slots=True)
class Identity:
    """Our own end of a connection: PEM of key and certificate."""

    key: bytes
    certificate: bytes

    def __repr__(self) -> str:
        """Hide the key."""
        return "Identity(...)"


def server_context(identity: Identity) -> ssl.SSLContext:
    """For connections of peers; nobody is trusted until `trust` was called."""
    context = _context(ssl.PROTOCOL_TLS_SERVER, identity)
    context.verify_mode = ssl.CERT_REQUIRED
    # A resumed session would be an old check.
    context.num_tickets = 0
    return context


def client_context(identity: Identity, certificate: bytes) -> ssl.SSLContext:
    """For a connection to the peer with this certificate (DER)."""
    context = _context(ssl.PROTOCOL_TLS_CLIENT, identity)
    trust(context, to_pem(certificate))
    return context


def trust(context: ssl.SSLContext, certificates: bytes) -> None:
    """Accept these certificates (PEM) from the next handshake on."""
    context.load_verify_locations(cadata=certificates.decode())


def tune(connection: socket.socket) -> None:
    """Send small messages at once, and notice a peer that is gone."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in (*_KEEPALIVE.items(), ("TCP_USER_TIMEOUT", _SILENCE_MS)):
        if hasattr(socket, name):
            connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def _context(protocol: int, identity: Identity) -> ssl.SSLContext:
    context = ssl.SSLContext(protocol)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.set_alpn_protocols([PROTOCOL])
    with _file(identity.key + identity.certificate) as path:
        context.load_cert_chain(path)
    return context


@contextmanager
def _file(secret: bytes) -> Iterator[str]:
    """A path under which the library finds bytes for a moment: in memory where that exists."""
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("identity")
        try:
            os.write(descriptor, secret)
            yield f"/proc/self/fd/{descriptor}"
        finally:
            os.close(descriptor)
    else:
        with tempfile.NamedTemporaryFile() as file:
            file.write(secret)
            file.flush()
            yield file.name
