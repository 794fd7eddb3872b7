"""A network namespace with a cable that can be pulled, and a way in for those who know the old address."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
from threading import Thread

_CONNECT_S = 5.0
_CHUNK = 1 << 16


def possible() -> bool:
    """Whether this process may make namespaces."""
    done = subprocess.run(["unshare", "--net", "true"], capture_output=True, check=False)
    return done.returncode == 0 and os.geteuid() == 0


class Namespace:
    """One namespace, one cable, two addresses of a private network that leads nowhere else."""

    def __init__(self) -> None:
        number = os.getpid() % 250 + 1
        self.name = f"tkms{os.getpid()}"
        self._outside, self._inside = f"tko{os.getpid()}", f"tki{os.getpid()}"
        self._host = f"10.213.{number}.1"
        self.address = f"10.213.{number}.2"

    def create(self) -> None:
        """Make it, with the cable in."""
        _ip("netns", "add", self.name)
        peer = ("peer", "name", self._inside, "netns", self.name)
        _ip("link", "add", self._outside, "type", "veth", *peer)
        _ip("addr", "add", f"{self._host}/30", "dev", self._outside)
        _ip("-n", self.name, "addr", "add", f"{self.address}/30", "dev", self._inside)
        _ip("link", "set", self._outside, "up")
        _ip("-n", self.name, "link", "set", self._inside, "up")
        _ip("-n", self.name, "link", "set", "lo", "up")

    def cut(self) -> None:
        """Pull the cable: packets are lost, nobody is told."""
        # The far end: without the near one the route would be gone, and packets would look for another way.
        _ip("-n", self.name, "link", "set", self._inside, "down")

    def heal(self) -> None:
        """Put it back."""
        _ip("-n", self.name, "link", "set", self._inside, "up")

    def remove(self) -> None:
        """Remove namespace and cable; processes in it keep it alive until they end."""
        subprocess.run(["ip", "netns", "del", self.name], capture_output=True, check=False)
        subprocess.run(["ip", "link", "del", self._outside], capture_output=True, check=False)

    def command(self, *argv: str) -> tuple[str, ...]:
        """A command line inside."""
        return ("ip", "netns", "exec", self.name, *argv)


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], capture_output=True, check=True)


class Forwarder:
    """Accepts on a port of the loopback and carries bytes to an address."""

    def __init__(self, port: int, target: tuple[str, int]) -> None:
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", port))
        self._thread = Thread(target=self._accept, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Take no more."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            Thread(target=self._carry, args=(near,), daemon=True).start()

    def _carry(self, near: socket.socket) -> None:
        with near, contextlib.suppress(OSError):
            far = socket.create_connection(self._target, timeout=_CONNECT_S)
            far.settimeout(None)
            with far:
                back = Thread(target=_copy, args=(far, near), daemon=True)
                back.start()
                _copy(near, far)
                back.join()


def _copy(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(_CHUNK):
            sink.sendall(data)
    with contextlib.suppress(OSError):
        sink.shutdown(socket.SHUT_WR)
