"""The frame parser: any bytes in any pieces."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from abci_app.errors import FramingError
from abci_app.framing import Deframer, encode_length, frame


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    """Cut data at the given places."""
    places = sorted({cut % (len(data) + 1) for cut in cuts} | {0, len(data)})
    return [data[a:b] for a, b in pairwise(places)]


@given(st.lists(st.binary(max_size=300)), st.lists(st.integers(min_value=0), max_size=20))
def test_messages_survive_any_cutting(messages: list[bytes], cuts: list[int]) -> None:
    """What was framed comes out, complete and in order, however it arrives."""
    deframer = Deframer()
    stream = b"".join(frame(message) for message in messages)
    found = [message for piece in pieces(stream, cuts) for message in deframer.feed(piece)]
    assert found == messages
    assert deframer.pending == 0


@given(st.binary(max_size=400), st.lists(st.integers(min_value=0), max_size=20))
def test_any_stream_gives_messages_or_a_framing_error(stream: bytes, cuts: list[int]) -> None:
    """No other exception, no message above the limit; the outcome does not depend on the cutting."""

    def outcome(parts: list[bytes]) -> tuple[list[bytes], bool]:
        deframer, found = Deframer(max_bytes=200), []
        for part in parts:
            try:
                found += deframer.feed(part)
            except FramingError:
                with pytest.raises(FramingError):
                    deframer.feed(b"\x00")
                return found, True
            assert deframer.pending <= 200 + 2
        return found, False

    by_bytes, failed = outcome([stream[index : index + 1] for index in range(len(stream))])
    cut, cut_failed = outcome(pieces(stream, cuts))
    assert all(len(message) <= 200 for message in by_bytes)
    assert cut_failed == failed
    # A wrong length may take complete messages of its own piece with it, never others.
    assert cut == by_bytes[: len(cut)]
    if not failed:
        assert cut == by_bytes
        assert (
            b"".join(frame(message) for message in cut)
            == stream[: sum(len(frame(message)) for message in cut)]
        )


@pytest.mark.parametrize(
    "stream",
    [
        encode_length(1001),
        encode_length(2**31),
        b"\xff" * 10,
        b"\x80\x00",
        b"\x81\x80\x00",
        b"\x80" * 5,
    ],
)
def test_impossible_lengths_are_refused_at_once(stream: bytes) -> None:
    """Too large, too long or not in shortest form: before a byte of the message arrives."""
    with pytest.raises(FramingError):
        Deframer(max_bytes=1000).feed(stream)


@pytest.mark.parametrize(
    ("length", "encoded"),
    [
        (0, b"\x00"),
        (127, b"\x7f"),
        (128, b"\x80\x01"),
        (300, b"\xac\x02"),
        (2**31 - 1, b"\xff\xff\xff\xff\x07"),
    ],
)
def test_lengths_are_plain_leb128(length: int, encoded: bytes) -> None:
    """Known values; not zig-zag."""
    assert encode_length(length) == encoded
