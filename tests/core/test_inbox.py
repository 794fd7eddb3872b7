"""Bounds of what unauthorised messages may take."""

import pytest

from core import inbox
from core.inbox import Inbox
from wire.ids import PartyId
from wire.pb.tkms.peer.v1 import peer_pb2

ONE, TWO = PartyId(1), PartyId(2)


def envelope(number: int, size: int = 0) -> peer_pb2.Envelope:
    """A message for request `number`."""
    shares = [peer_pb2.MaskedShare(elements=bytes(size))]
    return peer_pb2.Envelope(
        request_id=number.to_bytes(20, "big"),
        masked_shares=peer_pb2.MaskedShares(shares=shares),
    )


def test_messages_wait_for_their_request() -> None:
    """Taken once, by request, of all senders."""
    box = Inbox(lambda: 0.0)
    box.put(TWO, envelope(1))
    box.put(ONE, envelope(1))
    box.put(ONE, envelope(2))
    assert box.take(envelope(1).request_id) == [(ONE, envelope(1)), (TWO, envelope(1))]
    assert box.take(envelope(1).request_id) == []
    assert box.take(envelope(2).request_id) == [(ONE, envelope(2))]


def test_a_flood_drops_the_oldest_of_the_same_peer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Counts and bytes are bounded for each peer; other peers keep theirs."""
    monkeypatch.setattr(inbox, "MAX_MESSAGES", 3)
    box = Inbox(lambda: 0.0)
    box.put(TWO, envelope(1))
    for number in range(1, 6):
        box.put(ONE, envelope(number))
    assert box.dropped == 2
    assert box.take(envelope(1).request_id) == [(TWO, envelope(1))]
    assert box.take(envelope(5).request_id) == [(ONE, envelope(5))]
    monkeypatch.setattr(inbox, "MAX_BYTES", 1000)
    box.put(ONE, envelope(6, 600))
    box.put(ONE, envelope(7, 600))
    assert box.take(envelope(6).request_id) == []
    assert box.take(envelope(7).request_id) == [(ONE, envelope(7, 600))]


def test_old_messages_go() -> None:
    """After fifteen minutes a message of a request that never came is dropped."""
    now = [0.0]
    box = Inbox(lambda: now[0])
    box.put(ONE, envelope(1))
    now[0] = inbox.MAX_AGE_S + 1
    box.put(ONE, envelope(2))
    assert box.dropped == 1
    assert box.take(envelope(1).request_id) == []
