"""What runs sent that are over: for peers that start over and ask for it again.

Kept in memory, the youngest runs up to a bound; durable runs are in the vault as well, one sealed
file a round, because their messages are secrets of the recipients and must outlive this process.
What was sent to a party of one epoch is never shown to another epoch's party of that number.
"""

import struct
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from core.circles import Address
from core.vault import Vault
from mpc.machine import RoundMessage

MAX_RUNS = 4096
MAX_BYTES = 128 * 2**20
MAX_AGE_S = 3600.0

_FOLDER = "runs"
_HEADER = struct.Struct(">QIQIII")
"""Sender, recipient (epoch and number), round and length of one message in a sealed file."""


@dataclass(frozen=True, slots=True)
class Sent:
    """What one run sent: under which address of ours, and to whom."""

    own: Address
    messages: Mapping[Address, tuple[RoundMessage, ...]]


@dataclass(frozen=True, slots=True)
class _Ended:
    since: float
    epoch_id: int
    size: int
    sent: Sent


class SentMessages:
    """Messages of runs that ended, by session id and recipient."""

    __slots__ = ("_bytes", "_clock", "_ended", "_sealed", "_vault")

    def __init__(self, clock: Callable[[], float], vault: Vault | None) -> None:
        """`clock` gives monotonic seconds; without a vault nothing is durable."""
        self._clock = clock
        self._vault = vault
        self._ended: OrderedDict[bytes, _Ended] = OrderedDict()
        self._bytes = 0
        # Folders of durable runs, so that asking for made-up runs never reaches the disk.
        self._sealed: dict[bytes, str] = {}
        for name in vault.names(_FOLDER) if vault else []:
            folder = name.rpartition("/")[0]
            self._sealed[bytes.fromhex(folder.rpartition("/")[2])] = folder

    def keep(self, session: bytes, epoch_id: int, sent: Sent) -> None:
        """Remember a run that ended."""
        self._drop(session)
        # Most rounds send the same bytes to everybody: one object, counted once.
        payloads = {
            id(m.payload): len(m.payload) for all_of in sent.messages.values() for m in all_of
        }
        ended = _Ended(self._clock(), epoch_id, sum(payloads.values()), sent)
        self._ended[session] = ended
        self._bytes += ended.size
        while self._ended and self._over():
            self._drop(next(iter(self._ended)))

    def knows(self, session: bytes) -> bool:
        """Whether a run ended here and is kept."""
        return session in self._ended or session in self._sealed

    def of(self, session: bytes, recipient: Address) -> Sent | None:
        """What a run that ended had sent to a party. Reads the disk for durable runs."""
        ended = self._ended.get(session)
        if ended is not None:
            messages = ended.sent.messages.get(recipient, ())
            return Sent(ended.sent.own, {recipient: messages})
        stored = [item for item in self._stored(session) if item[1] == recipient]
        if not stored:
            return None
        return Sent(stored[0][0], {recipient: tuple(message for _, _, message in stored)})

    def seal(
        self,
        session: bytes,
        epoch_id: int,
        own: Address,
        messages: Sequence[tuple[Address, RoundMessage]],
    ) -> None:
        """Make messages of one round of a durable run outlive this process. Writes the disk."""
        if self._vault is None or not messages:
            return
        parts = []
        for recipient, message in messages:
            parts.append(_HEADER.pack(*own, *recipient, message.round, len(message.payload)))
            parts.append(message.payload)
        folder = f"{_FOLDER}/{epoch_id}/{session.hex()}"
        self._vault.put(f"{folder}/{messages[0][1].round}", b"".join(parts))
        self._sealed[session] = folder

    def forget(self, session: bytes) -> None:
        """Erase a run. Writes the disk."""
        self._drop(session)
        folder = self._sealed.pop(session, None)
        if self._vault is not None and folder is not None:
            for name in self._vault.names(folder):
                self._vault.remove(name)

    def forget_epoch(self, epoch_id: int) -> None:
        """Erase all runs of an epoch. Writes the disk."""
        prefix = f"{_FOLDER}/{epoch_id}/"
        gone = [session for session, folder in self._sealed.items() if folder.startswith(prefix)]
        gone += [session for session, ended in self._ended.items() if ended.epoch_id == epoch_id]
        for session in gone:
            self.forget(session)

    def _stored(self, session: bytes) -> Iterable[tuple[Address, Address, RoundMessage]]:
        """Sealed messages of a durable run by round."""
        folder = self._sealed.get(session)
        if self._vault is None or folder is None:
            return
        names = self._vault.names(folder)
        for name in sorted(names, key=lambda name: int(name.rpartition("/")[2])):
            data = self._vault.get(name)
            start = 0
            while start < len(data):
                *ends, number, size = _HEADER.unpack_from(data, start)
                start += _HEADER.size
                own, recipient = Address(*ends[:2]), Address(*ends[2:])
                yield own, recipient, RoundMessage(number, data[start : start + size])
                start += size

    def _over(self) -> bool:
        oldest = next(iter(self._ended.values())).since
        many = len(self._ended) > MAX_RUNS or self._bytes > MAX_BYTES
        return many or oldest < self._clock() - MAX_AGE_S

    def _drop(self, session: bytes) -> None:
        ended = self._ended.pop(session, None)
        if ended is not None:
            self._bytes -= ended.size
