"""Messages on the ABCI socket: an unsigned LEB128 length, then that many bytes. No I/O here.

CometBFT's format since 0.37: the length is a plain varint (not zig-zag).
"""

from __future__ import annotations

from typing import Final

from abci_app.errors import FramingError

# Above the largest block that consensus parameters allow (100 MiB) and its envelope.
MAX_MESSAGE_BYTES: Final = 128 * 1024 * 1024

_MAX_VARINT_BYTES: Final = 5


def frame(message: bytes) -> bytes:
    """Message with its length in front."""
    return encode_length(len(message)) + message


def encode_length(length: int) -> bytes:
    """Shortest unsigned LEB128 form of a number."""
    encoded = bytearray()
    while length > 0x7F:
        encoded.append(0x80 | length & 0x7F)
        length >>= 7
    encoded.append(length)
    return bytes(encoded)


class Deframer:
    """Cuts a stream that arrives in any pieces into messages.

    After a FramingError the object is dead and raises it for ever: nothing behind a wrong length can be
    understood.
    """

    __slots__ = ("_buffer", "_error", "_max_bytes")

    def __init__(self, max_bytes: int = MAX_MESSAGE_BYTES) -> None:
        """Refuse messages longer than `max_bytes` as soon as their length is known."""
        self._buffer = bytearray()
        self._error: FramingError | None = None
        self._max_bytes = max_bytes

    def feed(self, data: bytes) -> list[bytes]:
        """Take what arrived and return the messages that are complete now.

        Raises:
            FramingError: a length that is too large or not in its shortest form. Messages before it
                in the same piece are lost with the connection.
        """
        if self._error is not None:
            raise self._error
        self._buffer += data
        messages: list[bytes] = []
        position = 0
        try:
            while (header := self._length(position)) is not None:
                start, length = header
                if len(self._buffer) - start < length:
                    break
                messages.append(bytes(self._buffer[start : start + length]))
                position = start + length
        except FramingError as error:
            self._error = error
            self._buffer.clear()
            raise
        del self._buffer[:position]
        return messages

    @property
    def pending(self) -> int:
        """Bytes held of a message that is not complete."""
        return len(self._buffer)

    def _length(self, position: int) -> tuple[int, int] | None:
        """Start and length of the message whose header begins at `position`, None while unknown."""
        length = 0
        for index in range(_MAX_VARINT_BYTES):
            if position + index >= len(self._buffer):
                return None
            byte = self._buffer[position + index]
            length |= (byte & 0x7F) << 7 * index
            if byte < 0x80:
                if byte == 0 and index > 0:
                    raise FramingError("the length is not in its shortest form")
                if length > self._max_bytes:
                    raise FramingError(f"a message of {length} bytes is too large")
                return position + index + 1, length
        raise FramingError("the length has too many bytes")
