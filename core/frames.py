"""Bytes between cores, inside TLS: what a stream carries each way.

Towards the receiver: frames, each a length (u32 big endian) and one encoded `Envelope`.
Back: numbers (u64 big endian), each the count of messages taken on this stream so far; the first is
0 and says that the stream is open. The two highest numbers say why the receiver ends the stream.
"""

import struct

from core.errors import PeerError

MAX_MESSAGE_BYTES = 64 * 2**20
"""A dealt key share is below 1 MiB; batches of background runs are cut to a few."""

PROTOCOL = "tkms-peer/1"
"""Named in the TLS handshake: another version does not connect."""

UNKNOWN_EPOCH = 2**64 - 1
"""The message's epoch is not proven to the receiver yet: try again later."""

REFUSED = 2**64 - 2
"""The message broke the transport's rules."""

_LENGTH = struct.Struct(">I")
_NUMBER = struct.Struct(">Q")


def frame(message: bytes) -> bytes:
    """A message with its length."""
    return _LENGTH.pack(len(message)) + message


def number(count: int) -> bytes:
    """What goes back."""
    return _NUMBER.pack(count)


class Frames:
    """Cuts a stream into messages."""

    __slots__ = ("_buffer", "_start")

    def __init__(self) -> None:
        """Begin with nothing."""
        self._buffer = bytearray()
        self._start = 0

    def add(self, data: bytes) -> None:
        """Take bytes of the stream."""
        if self._start:
            del self._buffer[: self._start]
            self._start = 0
        self._buffer += data

    def next(self) -> bytes | None:
        """The next whole message.

        Raises
        ------
        PeerError
            It is longer than messages are.
        """
        begin = self._start + _LENGTH.size
        if len(self._buffer) < begin:
            return None
        (size,) = _LENGTH.unpack_from(self._buffer, self._start)
        if size > MAX_MESSAGE_BYTES:
            raise PeerError(f"a message of {size} bytes")
        if len(self._buffer) < begin + size:
            return None
        self._start = begin + size
        with memoryview(self._buffer) as view:
            return bytes(view[begin : begin + size])


class Numbers:
    """Cuts what comes back into numbers."""

    __slots__ = ("_rest",)

    def __init__(self) -> None:
        """Begin with nothing."""
        self._rest = b""

    def add(self, data: bytes) -> list[int]:
        """All numbers that are complete now."""
        self._rest += data
        whole = len(self._rest) - len(self._rest) % _NUMBER.size
        found = [value for (value,) in _NUMBER.iter_unpack(self._rest[:whole])]
        self._rest = self._rest[whole:]
        return found
