"""Where a process's numbers are read; nothing heavy is imported by who only checks an address."""

from __future__ import annotations

from typing import Final

from telemetry.errors import TelemetryError

LOOPBACK: Final = "127.0.0.1"


def parse_address(text: str) -> tuple[str, int]:
    """Host and port of `host:port`, `:port` (loopback) or `[ipv6]:port`.

    Raises:
        TelemetryError: it is none of these.
    """
    host, _, port = text.rpartition(":")
    if not port.isdecimal() or int(port) > 65535 or len(port) > 5:
        raise TelemetryError(f"{text!r} is not host:port")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        raise TelemetryError(f"{text!r}: an IPv6 host stands in brackets")
    return host or LOOPBACK, int(port)
