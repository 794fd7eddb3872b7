"""A connection as the engine has four of them, and who hears of a bug."""

from __future__ import annotations

import socket
from pathlib import Path
from threading import Event

from abci_app.framing import Deframer, frame
from wire.pb.tkms.comet.v1 import abci_pb2

PATIENCE_SECONDS = 60


class Failures:
    """Takes what would end the process."""

    def __init__(self) -> None:
        self.happened = Event()
        self.errors: list[Exception] = []

    def __call__(self, error: Exception) -> None:
        """Note it."""
        self.errors.append(error)
        self.happened.set()


class Peer:
    """One connection."""

    def __init__(self, path: Path) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.settimeout(PATIENCE_SECONDS)
        self.socket.connect(str(path))
        self._deframer = Deframer()
        self._answers: list[bytes] = []

    def send(self, *requests: abci_pb2.Request) -> None:
        """Send requests in one piece."""
        self.socket.sendall(b"".join(frame(item.SerializeToString()) for item in requests))

    def receive(self) -> abci_pb2.Response | None:
        """Next answer, None when the connection is closed."""
        while not self._answers:
            data = self.socket.recv(1 << 16)
            if not data:
                return None
            self._answers += self._deframer.feed(data)
        return abci_pb2.Response.FromString(self._answers.pop(0))
