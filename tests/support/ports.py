"""Ports of the loopback for servers of tests."""

from __future__ import annotations

import socket
from typing import Final

_GIVEN: Final[set[int]] = set()


def free_port() -> int:
    """A port that nobody listens on, and that was not given to anybody in this process."""
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = int(probe.getsockname()[1])
        if port not in _GIVEN:
            _GIVEN.add(port)
            return port
