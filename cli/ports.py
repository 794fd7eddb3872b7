"""Ports of this machine that nobody listens on."""

import socket

from cli.errors import ConfigError


def free_ports(count: int, first: int) -> list[int]:
    """Return distinct ports from `first` upwards that nobody listens on.

    Raises:
        ConfigError: not enough ports up to 65535.
    """
    found: list[int] = []
    for port in range(first, 65536):
        if port_is_free(port):
            found.append(port)
            if len(found) == count:
                return found
    raise ConfigError(f"fewer than {count} free ports from {first} on")


def port_is_free(port: int) -> bool:
    """Whether 127.0.0.1:port can be listened on."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
