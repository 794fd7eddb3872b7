"""Messages that came before their request was authorised: few, young, and never trusted."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from wire.ids import PartyId
from wire.pb.tkms.peer.v1 import peer_pb2

MAX_MESSAGES = 1000
MAX_BYTES = 64 * 2**20
MAX_AGE_S = 900.0


@dataclass(frozen=True, slots=True)
class _Waiting:
    since: float
    size: int
    sender: PartyId
    envelope: peer_pb2.Envelope


class Inbox:
    """Bounded for each peer by count, bytes and age; over a bound the oldest message goes."""

    __slots__ = ("_bytes", "_clock", "_waiting", "dropped")

    def __init__(self, clock: Callable[[], float]) -> None:
        """`clock` gives monotonic seconds."""
        self._clock = clock
        self._waiting: dict[PartyId, deque[_Waiting]] = {}
        self._bytes: dict[PartyId, int] = {}
        self.dropped = 0

    def put(self, sender: PartyId, envelope: peer_pb2.Envelope) -> None:
        """Keep a message until its request is authorised."""
        size = envelope.ByteSize()
        queue = self._waiting.setdefault(sender, deque())
        queue.append(_Waiting(self._clock(), size, sender, envelope))
        self._bytes[sender] = self._bytes.get(sender, 0) + size
        oldest = self._clock() - MAX_AGE_S
        while queue and (
            len(queue) > MAX_MESSAGES or self._bytes[sender] > MAX_BYTES or queue[0].since < oldest
        ):
            self._bytes[sender] -= queue.popleft().size
            self.dropped += 1

    def take(self, request_id: bytes) -> list[tuple[PartyId, peer_pb2.Envelope]]:
        """Remove and return what waits for a request, in order of arrival a sender."""
        found: list[tuple[PartyId, peer_pb2.Envelope]] = []
        for sender, queue in sorted(self._waiting.items()):
            hits = [item for item in queue if item.envelope.request_id == request_id]
            if not hits:
                continue
            self._waiting[sender] = deque(i for i in queue if i.envelope.request_id != request_id)
            self._bytes[sender] -= sum(item.size for item in hits)
            found.extend((item.sender, item.envelope) for item in hits)
        return found
